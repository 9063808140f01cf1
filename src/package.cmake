# Installs the library in two parts, which are also Debian packages (cpack.cmake): `library` has the shared library, and
# `development` what is needed to build programs: the headers, the static library, and the files by which CMake and
# pkg-config find both kinds. The static library records its dependencies by the file names that the dynamic linker uses,
# such as libdnnl.so.2. Programs that link it need these files, but none of the headers.
include(CMakePackageConfigHelpers)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/gpuvae)
set(gpuvae_static_file ${CMAKE_STATIC_LIBRARY_PREFIX}gpuvae${CMAKE_STATIC_LIBRARY_SUFFIX})
set(gpuvae_shared_file ${CMAKE_SHARED_LIBRARY_PREFIX}gpuvae${CMAKE_SHARED_LIBRARY_SUFFIX})
set(gpuvae_link_libraries)
set(gpuvae_link_folders)
set(gpuvae_link_flags)

# Records the library file `path` as the imported target gpuvae::`name` of installed packages and as a flag for
# pkg-config. Messages call it `title`.
function(gpuvae_record_link_library name title path)
  file(REAL_PATH ${path} file)
  cmake_path(GET file PARENT_PATH folder)
  cmake_path(GET file FILENAME file)
  string(REGEX REPLACE "(\\.so\\.[0-9]+).*" "\\1" file ${file})
  string(APPEND gpuvae_link_libraries "  gpuvae_link_library(${name} \"${title}\" ${file} \"${folder}\")\n")
  set(gpuvae_link_libraries "${gpuvae_link_libraries}" PARENT_SCOPE)
  target_link_libraries(gpuvae PRIVATE $<INSTALL_INTERFACE:gpuvae::${name}>)
  if(NOT folder IN_LIST CMAKE_CXX_IMPLICIT_LINK_DIRECTORIES)
    list(APPEND gpuvae_link_folders -L${folder})
    list(REMOVE_DUPLICATES gpuvae_link_folders)
    set(gpuvae_link_folders "${gpuvae_link_folders}" PARENT_SCOPE)
  endif()
  set(gpuvae_link_flags ${gpuvae_link_flags} -l:${file} PARENT_SCOPE)
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
# A project without C++ links programs by the C compiler, which does not add the C++ runtime.
set(cxx_runtime ${CMAKE_CXX_IMPLICIT_LINK_LIBRARIES})
list(FILTER cxx_runtime INCLUDE REGEX "^(stdc\\+\\+|c\\+\\+|c\\+\\+abi|m)$")
list(REMOVE_DUPLICATES cxx_runtime)
set(system_libraries ${cxx_runtime} pthread ${CMAKE_DL_LIBS})
foreach(library IN LISTS cxx_runtime)
  target_link_libraries(gpuvae PRIVATE $<INSTALL_INTERFACE:$<$<LINK_LANGUAGE:C>:${library}>>)
endforeach()
target_link_libraries(gpuvae PRIVATE $<INSTALL_INTERFACE:pthread> $<INSTALL_INTERFACE:${CMAKE_DL_LIBS}>)

if(gpuvae_with_cuda)
  # The package contains the static CUDA runtime, so that C++ programs link without a CUDA toolkit.
  file(REAL_PATH ${CUDA_cudart_static_LIBRARY} cudart)
  install(FILES ${cudart} DESTINATION ${CMAKE_INSTALL_LIBDIR}/gpuvae RENAME libcudart_static.a COMPONENT development)
  string(REGEX MATCH "^[0-9]+\\.[0-9]+" gpuvae_cuda_version ${CUDAToolkit_VERSION})
  target_link_libraries(gpuvae PRIVATE $<INSTALL_INTERFACE:gpuvae::cudart>)
  list(APPEND gpuvae_link_flags "\${libdir}/gpuvae/libcudart_static.a" -lrt)
endif()

# ---- the files ----
set_target_properties(gpuvae PROPERTIES EXPORT_NAME gpuvae_static)
foreach(kind IN ITEMS static shared)
  if(kind STREQUAL "static")
    install(TARGETS gpuvae EXPORT gpuvae_static ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
  elseif(GPUVAE_SHARED)
    install(TARGETS gpuvae_shared EXPORT gpuvae_shared
            LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library NAMELINK_COMPONENT development)
  else()
    continue()
  endif()
  install(EXPORT gpuvae_${kind} NAMESPACE gpuvae:: FILE gpuvae_${kind}Targets.cmake DESTINATION ${package}
          COMPONENT development)
endforeach()
if(gpuvae_with_mpi)
  # Not in the part `library`, whose package would then depend on MPI.
  install(TARGETS gpuvae_mpi LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT tools)
endif()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/gpuvae DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)
configure_package_config_file(gpuvaeConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/gpuvaeConfig.cmake
                              INSTALL_DESTINATION ${package} PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR
                              NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/gpuvaeConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/gpuvaeConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/gpuvaeConfigVersion.cmake
        DESTINATION ${package} COMPONENT development)

# ---- pkg-config ----
# `pkg-config gpuvae` stands for the shared library or, with --static, for whichever kind the linker finds;
# `pkg-config gpuvae-static` always stands for the static one.
list(TRANSFORM system_libraries PREPEND -l)
list(JOIN gpuvae_link_folders " " folders)
list(JOIN gpuvae_link_flags " " flags)
list(JOIN system_libraries " " system)
set(private_flags "${folders} ${flags} ${system}")
string(STRIP "${private_flags}" private_flags)
set(pc_folder ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
if(IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR})
  set(pc_prefix ${CMAKE_INSTALL_PREFIX})
else()
  file(RELATIVE_PATH pc_prefix /${pc_folder} /)  # the installed files may be moved
  string(REGEX REPLACE "/$" "" pc_prefix "\${pcfiledir}/${pc_prefix}")
endif()
foreach(folder IN ITEMS LIBDIR INCLUDEDIR)
  cmake_path(ABSOLUTE_PATH CMAKE_INSTALL_${folder} BASE_DIRECTORY "\${prefix}" OUTPUT_VARIABLE pc_${folder})
endforeach()
# Writes the file NAME.pc with these flags.
function(gpuvae_write_pc name summary flags private)
  set(pc_name ${name})
  set(pc_summary ${summary})
  set(pc_flags ${flags})
  set(pc_private ${private})
  configure_file(gpuvae.pc.in ${CMAKE_CURRENT_BINARY_DIR}/${name}.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${name}.pc DESTINATION ${pc_folder} COMPONENT development)
endfunction()
gpuvae_write_pc(gpuvae-static "static library"
                "-Wl,--exclude-libs,${gpuvae_static_file} \${libdir}/${gpuvae_static_file} ${private_flags}" "")
if(GPUVAE_SHARED)
  gpuvae_write_pc(gpuvae "library" "-L\${libdir} -lgpuvae" "${private_flags}")
else()
  gpuvae_write_pc(gpuvae "static library" "-L\${libdir} -lgpuvae ${private_flags}" "")
endif()
