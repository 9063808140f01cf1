#include "gpuvae/version.h"

#define GPUVAE_TEXT_OF(x) #x
#define GPUVAE_TEXT(x) GPUVAE_TEXT_OF(x)

namespace gpuvae {

const char* version() {
  return GPUVAE_TEXT(GPUVAE_VERSION_MAJOR) "." GPUVAE_TEXT(GPUVAE_VERSION_MINOR) "." GPUVAE_TEXT(
      GPUVAE_VERSION_PATCH);
}

}  // namespace gpuvae
