#include "library.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <utility>

#include "ptx.h"

namespace ptx {
namespace {

constexpr std::string_view kBegin = ".version ";
constexpr std::string_view kTarget = ".target sm_";

std::string contents_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw Error("[ptx] expected a readable file, got " + path);
  return std::string((std::istreambuf_iterator<char>(in)), {});
}

// Finds the PTX texts in the contents of a file, each with its architecture. A text ends at a zero byte.
std::vector<std::pair<int, std::string>> find_texts(const std::string& data) {
  std::vector<std::pair<int, std::string>> found;
  for (std::size_t at = data.find(kBegin); at != std::string::npos;) {
    const std::size_t end = std::min(data.find('\0', at), data.size());
    std::string text = data.substr(at, end - at);
    const std::size_t target = text.find(kTarget);
    if (target != std::string::npos)
      found.emplace_back(std::atoi(text.c_str() + target + kTarget.size()), std::move(text));
    at = data.find(kBegin, end);
  }
  return found;
}

}  // namespace

std::vector<std::string> texts_of(const std::string& path) {
  std::vector<std::pair<int, std::string>> found = find_texts(contents_of(path));
  int newest = 0;
  for (const auto& [target, text] : found) newest = std::max(newest, target);
  std::vector<std::string> texts;
  for (auto& [target, text] : found)
    if (target == newest && text.find(".entry") != std::string::npos) texts.push_back(std::move(text));
  return texts;
}

}  // namespace ptx
