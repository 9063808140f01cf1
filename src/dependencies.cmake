# The system libraries that the build uses. oneDNN, Highway, libdeflate and stb are found by file, because some
# distributions package them without working CMake files.
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(ZLIB REQUIRED)
find_package(PNG REQUIRED)
find_package(JPEG REQUIRED)

# MPI connects the processes of a distributed run.
set(GPUVAE_MPI AUTO CACHE STRING "Build libgpuvae_mpi.so for runs on several processes: AUTO (if MPI is found), ON or OFF")
set(gpuvae_with_mpi OFF)
if(NOT GPUVAE_MPI STREQUAL "OFF")
  set(MPI_CXX_SKIP_MPICXX ON)
  find_package(MPI QUIET COMPONENTS CXX)
  set(gpuvae_with_mpi ${MPI_CXX_FOUND})
endif()
if(GPUVAE_MPI STREQUAL "ON" AND NOT gpuvae_with_mpi)
  message(FATAL_ERROR "GPUVAE_MPI=ON: no MPI found")
endif()

# NCCL sums over the GPUs of a distributed run. Only its header is needed; the library is loaded when it is first used.
set(GPUVAE_NCCL AUTO CACHE STRING "Build with NCCL for runs on several GPUs: AUTO (if CUDA and nccl.h are found), ON or OFF")
set(gpuvae_with_nccl OFF)
if(gpuvae_with_cuda AND NOT GPUVAE_NCCL STREQUAL "OFF")
  find_path(GPUVAE_NCCL_INCLUDE nccl.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
  if(GPUVAE_NCCL_INCLUDE)
    set(gpuvae_with_nccl ON)
  endif()
endif()
if(GPUVAE_NCCL STREQUAL "ON" AND NOT gpuvae_with_nccl)
  message(FATAL_ERROR "GPUVAE_NCCL=ON: expected CUDA and nccl.h, found CUDA: ${gpuvae_with_cuda}, "
                      "nccl.h: ${GPUVAE_NCCL_INCLUDE}")
endif()

function(gpuvae_import target header library)
  string(TOUPPER ${library} upper)
  find_path(GPUVAE_${upper}_INCLUDE ${header} REQUIRED)
  find_library(GPUVAE_${upper}_LIBRARY ${library} REQUIRED)
  if(NOT TARGET ${target})
    add_library(${target} UNKNOWN IMPORTED)
    set_target_properties(${target} PROPERTIES IMPORTED_LOCATION ${GPUVAE_${upper}_LIBRARY}
                                               INTERFACE_INCLUDE_DIRECTORIES ${GPUVAE_${upper}_INCLUDE})
  endif()
endfunction()
gpuvae_import(gpuvae::dnnl oneapi/dnnl/dnnl.hpp dnnl)
gpuvae_import(gpuvae::hwy hwy/highway.h hwy)
gpuvae_import(gpuvae::deflate libdeflate.h deflate)
