// The handles of the C interface. A handle is a number that was never used before, and not an address, so
// that every freed or foreign handle is recognised without reading memory.
#pragma once

#include <memory>

namespace gpuvae::c {

enum class HandleKind { model, trainer };

// Returns a new handle to an object.
void* add_handle(HandleKind kind, std::shared_ptr<void> object);
// Returns the object of a handle. The result keeps it alive, even if another thread frees the handle. Throws
// Error unless the handle exists and has the kind.
std::shared_ptr<void> find_handle(HandleKind kind, const void* handle, const char* operation);
// Removes a handle. Throws Error like find_handle.
void remove_handle(HandleKind kind, const void* handle, const char* operation);

}  // namespace gpuvae::c
