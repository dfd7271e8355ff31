// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A file is whole or not there: what a path holds, and what lies beside it, after a write that ends early or fails.
#if __has_include(<nlohmann/json.hpp>)
#include <quanta/io/file_writer.hpp>

#include "tests/io/plain_safetensors.hpp"
#include "tests/io/safetensors_files.hpp"

#if QUANTA_HAS_POSIX_FILES
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#endif

namespace quanta::test {
namespace {

/// The names in a directory.
std::vector<std::string> names_in(const std::filesystem::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

TEST(FileWriter, GivesTheFileItsNameAtTheEnd) {
  const Path directory("quanta_writer");
  std::filesystem::create_directory(*directory);
  const auto path = *directory / "file";
  detail::FileWriter writer(path);
  writer.write("abc", 3);
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_EQ(names_in(*directory).size(), 1u);
  writer.write("", 0);
  writer.write("de", 2);
  writer.finish();
  EXPECT_EQ(file_contents(path.string()), "abcde");
  EXPECT_EQ(names_in(*directory), std::vector<std::string>{"file"});
}

TEST(FileWriter, LeavesEverythingAsItWasWhenItIsNotFinished) {
  const Path directory("quanta_unfinished");
  std::filesystem::create_directory(*directory);
  const auto path = *directory / "file";
  std::ofstream(path) << "old";
  {
    detail::FileWriter writer(path);
    writer.write("new", 3);
  }
  EXPECT_EQ(file_contents(path.string()), "old");
  EXPECT_EQ(names_in(*directory), std::vector<std::string>{"file"});
}

TEST(FileWriter, WritersOfOnePathDoNotMeet) {
  const Path directory("quanta_writers");
  std::filesystem::create_directory(*directory);
  const auto path = *directory / "file";
  detail::FileWriter first(path), second(path);
  first.write("first", 5);
  second.write("second", 6);
  first.finish();
  EXPECT_EQ(file_contents(path.string()), "first");
  second.finish();
  EXPECT_EQ(file_contents(path.string()), "second");
  EXPECT_EQ(names_in(*directory), std::vector<std::string>{"file"});
}

#if QUANTA_HAS_POSIX_FILES
TEST(FileWriter, WritesWhereALinkLeads) {
  const Path directory("quanta_links");
  std::filesystem::create_directories(*directory / "deep");
  std::ofstream(*directory / "deep" / "file") << "old";
  std::filesystem::create_symlink("deep/file", *directory / "link");
  detail::FileWriter writer(*directory / "link");
  writer.write("new", 3);
  writer.finish();
  EXPECT_TRUE(std::filesystem::is_symlink(*directory / "link"));
  EXPECT_EQ(file_contents((*directory / "deep" / "file").string()), "new");
  EXPECT_EQ(names_in(*directory / "deep"), std::vector<std::string>{"file"});
}

TEST(FileWriter, WritesWhereALinkLeadsThoughThereIsNoFileYet) {
  const Path directory("quanta_new_links");
  std::filesystem::create_directories(*directory / "deep");
  std::filesystem::create_symlink("deep/second", *directory / "first");
  std::filesystem::create_symlink("file", *directory / "deep" / "second");
  detail::FileWriter writer(*directory / "first");
  writer.write("new", 3);
  writer.finish();
  EXPECT_EQ(file_contents((*directory / "deep" / "file").string()), "new");
  EXPECT_EQ(names_in(*directory / "deep"), (std::vector<std::string>{"file", "second"}));
  EXPECT_TRUE(std::filesystem::is_symlink(*directory / "first"));
  EXPECT_TRUE(std::filesystem::is_symlink(*directory / "deep" / "second"));

  std::filesystem::create_symlink("circle", *directory / "circle");
  EXPECT_FILE_ERROR(detail::FileWriter(*directory / "circle"), "circle", "cannot be written");
}

TEST(FileWriter, KeepsTheFilesPermissions) {
  using std::filesystem::perms;
  const Path path("quanta_private");
  std::ofstream(*path) << "old";
  std::filesystem::permissions(*path, perms::owner_read | perms::owner_write);
  detail::FileWriter writer(*path);
  writer.finish();
  EXPECT_EQ(std::filesystem::status(*path).permissions(), perms::owner_read | perms::owner_write);
}

TEST(FileWriter, ReplacesFilesAlone) {
  const Path directory("quanta_no_file");
  std::filesystem::create_directory(*directory);
  EXPECT_FILE_ERROR(detail::FileWriter(*directory), "quanta_no_file", "no regular file");
  const auto pipe = *directory / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_FILE_ERROR(detail::FileWriter(pipe), "pipe", "no regular file");
  EXPECT_EQ(names_in(*directory), std::vector<std::string>{"pipe"});
}
#endif

TEST(FileWriter, PassesOverWhatACrashLeftBehind) {
  const Path directory("quanta_crashed");
  std::filesystem::create_directory(*directory);
  const auto path = *directory / "file";
  std::string left;
  {
    const detail::FileWriter writer(path);
    left = names_in(*directory).at(0);
  }
  // The next writer's name, taken: a process that crashed may have had it.
  const std::size_t digits = left.find('.') + 1;
  const unsigned long next = std::stoul(left.substr(digits)) + 1;
  const std::string taken = "quanta." + std::to_string(next) + ".partial";
  std::ofstream(*directory / taken) << "left";
  detail::FileWriter writer(path);
  writer.finish();
  EXPECT_EQ(names_in(*directory), (std::vector<std::string>{"file", taken}));
  EXPECT_EQ(file_contents((*directory / taken).string()), "left");
}

TEST(FileWriter, WritesFilesWithTheLongestNames) {
  const Path directory("quanta_long");
  std::filesystem::create_directory(*directory);
  for (std::size_t size = 240; size <= 255; ++size) {  // 255 is the most that file systems take
    const std::string name(size, 'n');
    detail::FileWriter writer(*directory / name);
    writer.write("new", 3);
    writer.finish();
    EXPECT_EQ(file_contents((*directory / name).string()), "new");
    EXPECT_EQ(names_in(*directory), std::vector<std::string>{name});
    std::filesystem::remove(*directory / name);
  }
#if QUANTA_HAS_POSIX_FILES
  EXPECT_FILE_ERROR(detail::FileWriter(*directory / std::string(256, 'n')),
                    "nnn: cannot be written: File name too long");
#endif
  EXPECT_TRUE(names_in(*directory).empty());
}

TEST(FileWriter, NamesPathsThatCannotBeWritten) {
  const Path directory("quanta_refused");
  std::filesystem::create_directory(*directory);
  EXPECT_FILE_ERROR(detail::FileWriter(*directory / "none" / "file"), "file: cannot be written: No such file");
  {
    detail::FileWriter writer(*directory / "file");
    std::filesystem::create_directories(*directory / "file" / "full");  // meanwhile
    EXPECT_FILE_ERROR(writer.finish(), "file: cannot be replaced: ");
  }
  EXPECT_EQ(names_in(*directory), std::vector<std::string>{"file"});
}

#if QUANTA_HAS_POSIX_FILES
TEST(FileWriter, KeepsTheOldFileWhenTheDiskIsFull) {
  const Path directory("quanta_full");
  std::filesystem::create_directory(*directory);
  const auto path = *directory / "file";
  std::ofstream(path) << "old";
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{4096, before.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string much(100'000, 'x');
  EXPECT_FILE_ERROR(
      [&] {
        detail::FileWriter writer(path);
        writer.write(much.data(), much.size());
        writer.finish();
      }(),
      "file: cannot be written: ");
  EXPECT_FILE_ERROR(
      [&] {
        detail::FileWriter writer(path);
        for (int i = 0; i < 5000; ++i) writer.write("x", 1);
        writer.finish();
      }(),
      "file: cannot be written: ");
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(file_contents(path.string()), "old");
  EXPECT_EQ(names_in(*directory), std::vector<std::string>{"file"});
}
#endif

}  // namespace
}  // namespace quanta::test
#endif
