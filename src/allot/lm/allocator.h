// How much memory the process keeps for later.
#pragma once

namespace allot::lm {

// Called once per process: the C allocator keeps freed activations for the next micro-batch instead
// of handing them back to the system, which would cost a page fault per 4 KiB each time (7 % of a
// training step of the built-in size). The process stays as large as its largest micro-batch.
// Does nothing where the C library has no such setting.
void keep_freed_memory();

// Called before the first product: oneDNN keeps compiled code for up to 1,024 shapes of a product,
// and torch as many prepared products in every thread. Packed rows come in steps (packed_rows.h),
// so a dozen row counts with about 20 shapes each are in use: 256 and 128 are as fast as any more.
// Values that the user has set stay.
void bound_product_cache();

}  // namespace allot::lm
