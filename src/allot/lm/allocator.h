// How the process keeps freed memory.
#pragma once

namespace allot::lm {

// Called once per process: the C allocator keeps freed activations for the next micro-batch instead
// of handing them back to the system, which would cost a page fault per 4 KiB each time (7 % of a
// training step of the built-in size). The process stays as large as its largest micro-batch.
// Does nothing where the C library has no such setting.
void keep_freed_memory();

}  // namespace allot::lm
