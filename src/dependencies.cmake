# The libraries of the system that libgpuvae links; read by our build and by find_package(gpuvae).
# oneDNN, Highway, libdeflate and stb are looked for by file: not every distribution's packages have (working) CMake files.
include(CMakeFindDependencyMacro)
find_dependency(OpenMP COMPONENTS CXX)
find_dependency(fmt)
find_dependency(ZLIB)

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
