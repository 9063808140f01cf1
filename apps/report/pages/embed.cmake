# Text files as C++: cmake -DOUT=pages.cpp "-DFILES=a.css;b.js" -P embed.cmake
# a.css becomes std::string_view gpuvae::apps::pages::a_css, declared in pages.h.
set(code "// Made by embed.cmake.\n#include \"apps/report/pages/pages.h\"\n\nnamespace gpuvae::apps::pages {\n")
foreach(file IN LISTS FILES)
  file(READ "${file}" text)
  if(text MATCHES "\\)gpuvae\"")
    message(FATAL_ERROR "${file}: ends the raw string that it would become")
  endif()
  get_filename_component(name "${file}" NAME)
  string(MAKE_C_IDENTIFIER "${name}" name)
  string(APPEND code "const std::string_view ${name} = R\"gpuvae(${text})gpuvae\";\n")
endforeach()
file(WRITE "${OUT}" "${code}}  // namespace gpuvae::apps::pages\n")
