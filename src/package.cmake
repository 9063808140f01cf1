# Installs the package for find_package(gpuvae), with the target gpuvae::gpuvae. The package records its dependencies by
# the file names that the dynamic linker uses, such as libdnnl.so.2. Programs that link the library need these files,
# but none of the headers.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/gpuvae)
get_target_property(type gpuvae TYPE)
set(gpuvae_file ${CMAKE_${type}_PREFIX}gpuvae${CMAKE_${type}_SUFFIX})
set(gpuvae_link_libraries)

# Records the library file `path` as the imported target gpuvae::`name` of installed packages. Messages call it `title`.
function(gpuvae_record_link_library name title path)
  file(REAL_PATH ${path} file)
  cmake_path(GET file PARENT_PATH folder)
  cmake_path(GET file FILENAME file)
  string(REGEX REPLACE "(\\.so\\.[0-9]+).*" "\\1" file ${file})
  string(APPEND gpuvae_link_libraries "gpuvae_link_library(${name} \"${title}\" ${file} \"${folder}\")\n")
  set(gpuvae_link_libraries "${gpuvae_link_libraries}" PARENT_SCOPE)
  target_link_libraries(gpuvae PRIVATE $<INSTALL_INTERFACE:gpuvae::${name}>)
endfunction()

get_target_property(fmt_library fmt::fmt LOCATION)
get_target_property(zlib_library ZLIB::ZLIB LOCATION)
get_target_property(png_library PNG::PNG LOCATION)
get_target_property(jpeg_library JPEG::JPEG LOCATION)
gpuvae_record_link_library(dnnl oneDNN ${GPUVAE_DNNL_LIBRARY})
gpuvae_record_link_library(hwy Highway ${GPUVAE_HWY_LIBRARY})
gpuvae_record_link_library(deflate libdeflate ${GPUVAE_DEFLATE_LIBRARY})
gpuvae_record_link_library(fmt fmt ${fmt_library})
gpuvae_record_link_library(zlib zlib ${zlib_library})
gpuvae_record_link_library(png libpng ${png_library})
gpuvae_record_link_library(jpeg libjpeg ${jpeg_library})
target_link_libraries(gpuvae PRIVATE $<INSTALL_INTERFACE:pthread> $<INSTALL_INTERFACE:${CMAKE_DL_LIBS}>)

if(gpuvae_with_cuda)
  # The package contains the static CUDA runtime, so that C++ programs link without a CUDA toolkit.
  file(REAL_PATH ${CUDA_cudart_static_LIBRARY} cudart)
  install(FILES ${cudart} DESTINATION ${CMAKE_INSTALL_LIBDIR}/gpuvae RENAME libcudart_static.a)
  string(REGEX MATCH "^[0-9]+\\.[0-9]+" gpuvae_cuda_version ${CUDAToolkit_VERSION})
  target_link_libraries(gpuvae PRIVATE $<INSTALL_INTERFACE:gpuvae::cudart>)
endif()

install(TARGETS gpuvae EXPORT gpuvaeTargets)
if(gpuvae_with_mpi)
  install(TARGETS gpuvae_mpi LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/gpuvae DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT gpuvaeTargets NAMESPACE gpuvae:: DESTINATION ${package})
configure_package_config_file(gpuvaeConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/gpuvaeConfig.cmake
                              INSTALL_DESTINATION ${package} PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR
                              NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/gpuvaeConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/gpuvaeConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/gpuvaeConfigVersion.cmake
        DESTINATION ${package})
