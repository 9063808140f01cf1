// Says which language the public headers need.
#pragma once

#if defined(__cplusplus) && __cplusplus <= 201703L
#error "gpuvae requires C++20: compile with -std=c++20 or later, or link the CMake target gpuvae::gpuvae"
#endif
