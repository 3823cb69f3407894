// Reads a chat template: the part of Jinja that the templates of Qwen 2.5, Qwen 3, Llama 3 and
// ChatML use. What is not known is refused here, before anything is rendered.
//
//   {% for a in x if c %} {% for k, v in x %} .. {% else %} .. {% endfor %}, break, continue
//   {% if %} {% elif %} {% else %} {% endif %}
//   {% set a = x %}, {% set space.a = x %}, {% set a %} .. {% endset %}
//   {% macro m(a, b=1) %} .. {% endmacro %}, {% generation %} .. {% endgeneration %}
//   literals, names, . [] [a:b:c] (), filters, tests, and or not in, comparisons, + - * / // % ~,
//   x if c else y
#pragma once

#include <string>
#include <string_view>

#include "allot/text/chat/tree.h"

namespace allot::chat {

// Error(Model) naming `file`, the line and what is not known.
Block parse_template(std::string_view source, const std::string& file);

}  // namespace allot::chat
