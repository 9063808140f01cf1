#include "src/c/handles.h"

#include <cstdint>
#include <mutex>
#include <unordered_map>

#include "kernels/check.h"

namespace gpuvae::c {
namespace {

struct HandleEntry {
  HandleKind kind;
  std::shared_ptr<void> object;
};

struct HandleTable {
  std::mutex mutex;
  std::uintptr_t last = 0;
  std::unordered_map<std::uintptr_t, HandleEntry> entries;
};

// The table is never destroyed, because threads may still call the library while the process exits.
HandleTable& handle_table() {
  static auto& table = *new HandleTable;
  return table;
}

const char* kind_name(HandleKind kind) { return kind == HandleKind::model ? "a model" : "a trainer"; }

// Throws Error unless the handle has the kind. The caller holds the mutex.
HandleEntry& entry_of(HandleTable& table, HandleKind kind, const void* handle, const char* operation) {
  check(handle != nullptr, operation, "expected {}, got NULL", kind_name(kind));
  const auto found = table.entries.find(reinterpret_cast<std::uintptr_t>(handle));
  check(found != table.entries.end(), operation, "expected {}, got a handle that was freed or never created",
        kind_name(kind));
  check(found->second.kind == kind, operation, "expected {}, got {}", kind_name(kind),
        kind_name(found->second.kind));
  return found->second;
}

}  // namespace

void* add_handle(HandleKind kind, std::shared_ptr<void> object) {
  HandleTable& table = handle_table();
  const std::lock_guard lock(table.mutex);
  // Multiples of 16 look like addresses to code that checks the alignment of pointers.
  constexpr std::uintptr_t kStep = 16;
  table.last += kStep;
  table.entries.emplace(table.last, HandleEntry{kind, std::move(object)});
  return reinterpret_cast<void*>(table.last);  // NOLINT(performance-no-int-to-ptr)
}

std::shared_ptr<void> find_handle(HandleKind kind, const void* handle, const char* operation) {
  HandleTable& table = handle_table();
  const std::lock_guard lock(table.mutex);
  return entry_of(table, kind, handle, operation).object;
}

void remove_handle(HandleKind kind, const void* handle, const char* operation) {
  HandleTable& table = handle_table();
  std::shared_ptr<void> object;  // destroyed after the mutex is released
  const std::lock_guard lock(table.mutex);
  object = std::move(entry_of(table, kind, handle, operation).object);
  table.entries.erase(reinterpret_cast<std::uintptr_t>(handle));
}

}  // namespace gpuvae::c
