# Finds Eigen 3.4 or later as Eigen3::Eigen. Used by Quanta's own build and by its installed package.
# On return quanta_eigen_problem is empty, or says what is wrong.
#
# No version goes to find_package: Eigen 5 calls itself incompatible with a request for 3.4, so the version is
# compared here. A target that the user's project already made is taken as it is.
set(quanta_eigen_problem "")
if(NOT TARGET Eigen3::Eigen)
  find_package(Eigen3 CONFIG QUIET)
  if(NOT Eigen3_FOUND)
    find_package(Eigen3 MODULE QUIET)
    # Old FindEigen3.cmake files set variables only.
    if(NOT TARGET Eigen3::Eigen AND EIGEN3_INCLUDE_DIR)
      add_library(Eigen3::Eigen INTERFACE IMPORTED)
      set_target_properties(Eigen3::Eigen PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${EIGEN3_INCLUDE_DIR}")
    endif()
  endif()
  set(quanta_eigen_version "${Eigen3_VERSION}")
  if(NOT quanta_eigen_version)
    set(quanta_eigen_version "${EIGEN3_VERSION}")
  endif()
  if(NOT TARGET Eigen3::Eigen)
    set(quanta_eigen_problem "Eigen 3.4 or later was not found. Install it (Debian: libeigen3-dev) or point \
CMAKE_PREFIX_PATH or Eigen3_DIR at it.")
  elseif(quanta_eigen_version AND quanta_eigen_version VERSION_LESS 3.4)
    set(quanta_eigen_problem "Eigen 3.4 or later is needed; found ${quanta_eigen_version} in ${Eigen3_DIR}.")
  endif()
  unset(quanta_eigen_version)
endif()
