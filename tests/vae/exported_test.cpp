// The C test as C++.
#include "exported_test.c"
