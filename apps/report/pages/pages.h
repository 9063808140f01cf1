// The files of this folder, as embed.cmake builds them into the programs.
#pragma once

#include <string_view>

namespace gpuvae::apps::pages {

extern const std::string_view theme_css;
extern const std::string_view page_html, page_css, page_js;
extern const std::string_view explorer_html, explorer_css;
// One script, in this order.
extern const std::string_view explorer_decoder_js, explorer_view_js, explorer_points_js, explorer_manifold_js,
    explorer_pad_js, explorer_js;

}  // namespace gpuvae::apps::pages
