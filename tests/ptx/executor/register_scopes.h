// The registers that the nested scopes of a kernel declare.
#pragma once

#include <charconv>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace ptx {

class RegisterScopes {
 public:
  void clear() { scopes_.clear(); }
  void open() { scopes_.emplace_back(); }
  void close() { scopes_.pop_back(); }
  // Declares `count` registers name0, name1, ...; a count of 0 declares the single register `name`.
  void declare(std::string_view name, int first, std::uint64_t count) {
    scopes_.back()[name] = {first, count};
  }
  // Returns the register's number, or -1.
  int find(std::string_view name) const {
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope)
      if (const int r = find_in(*scope, name); r >= 0) return r;
    return -1;
  }

 private:
  struct Range {
    int first;
    std::uint64_t count;
  };
  using Scope = std::unordered_map<std::string_view, Range>;

  static int find_in(const Scope& scope, std::string_view name) {
    if (const auto one = scope.find(name); one != scope.end() && one->second.count == 0)
      return one->second.first;
    const std::size_t digits = name.find_last_not_of("0123456789") + 1;
    if (digits == name.size()) return -1;
    const auto range = scope.find(name.substr(0, digits));
    std::uint64_t index = 0;
    std::from_chars(name.data() + digits, name.data() + name.size(), index);
    if (range == scope.end() || index >= range->second.count) return -1;
    return range->second.first + static_cast<int>(index);
  }

  std::vector<Scope> scopes_;
};

}  // namespace ptx
