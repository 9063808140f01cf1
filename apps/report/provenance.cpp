#include "apps/report/provenance.h"

#include "gpuvae/version.h"

namespace gpuvae::apps {

Provenance provenance_of(const Session& s, const std::string& command_line) {
  const Device device = s.model().device();
  return {{"version", version()},        {"commit", kCommit},
          {"device", device.text()},     {"processor", device.description()},
          {"data", s.source()},          {"fingerprint", s.data_facts().fingerprint},
          {"processes", s.processes()},  {"seed", std::to_string(s.config().seed)},
          {"command_line", command_line}};
}

}  // namespace gpuvae::apps
