// The only torch header that other headers of lm/ and local/ include.
#pragma once

#include <ATen/core/Tensor.h>
