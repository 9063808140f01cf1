#include "library.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "ptx.h"

namespace ptx {

std::vector<std::string> texts_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw Error("cannot read " + path);
  const std::string data((std::istreambuf_iterator<char>(in)), {});
  std::vector<std::pair<int, std::string>> found;
  for (std::size_t at = data.find(".version "); at != std::string::npos;) {
    const std::size_t end = std::min(data.find('\0', at), data.size());
    std::string text = data.substr(at, end - at);
    const std::size_t target = text.find(".target sm_");
    if (target != std::string::npos && text[text.find(' ') + 1] != '\0')
      found.emplace_back(std::atoi(text.c_str() + target + 11), std::move(text));
    at = data.find(".version ", end);
  }
  int newest = 0;
  for (const auto& [target, text] : found) newest = std::max(newest, target);
  std::vector<std::string> texts;
  for (auto& [target, text] : found)
    if (target == newest && text.find(".entry") != std::string::npos) texts.push_back(std::move(text));
  return texts;
}

}  // namespace ptx
