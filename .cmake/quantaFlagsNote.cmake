# Says once for each setting of CMAKE_CXX_FLAGS that it leaves out the vector instructions that this CPU has. The flags
# stay as they are: they are the user's decision, for each target. For Quanta's own build and its installed package.
if(CMAKE_CROSSCOMPILING OR (DEFINED CACHE{QUANTA_NOTED_FLAGS} AND QUANTA_NOTED_FLAGS STREQUAL CMAKE_CXX_FLAGS) OR
   NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$" OR NOT CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
  return()  # arm64 always has NEON
endif()
set(QUANTA_NOTED_FLAGS "${CMAKE_CXX_FLAGS}" CACHE INTERNAL "Those that quantaFlagsNote.cmake has looked at")
unset(QUANTA_FLAGS_LEAVE_OUT_AVX2 CACHE)
include(CheckCXXSourceRuns)
set(quanta_required_quiet "${CMAKE_REQUIRED_QUIET}")  # it may be the user's
set(CMAKE_REQUIRED_QUIET ON)
check_cxx_source_runs("
#if defined(__AVX2__)
int main() { return 1; }
#else
int main() { return __builtin_cpu_supports(\"avx2\") ? 0 : 1; }
#endif
" QUANTA_FLAGS_LEAVE_OUT_AVX2)
set(CMAKE_REQUIRED_QUIET "${quanta_required_quiet}")
unset(quanta_required_quiet)
if(QUANTA_FLAGS_LEAVE_OUT_AVX2)
  message(NOTICE "Quanta: CMAKE_CXX_FLAGS allow no AVX2, which this CPU has. Targets that do not allow it by options of "
                 "their own use SSE2, which is several times slower: -march=native, for this machine alone, allows all.")
endif()
