// The page of the command eval.
#pragma once

#include "apps/report/eval.h"
#include "apps/report/report.h"

namespace gpuvae::apps {

// Returns a page with the measures of an evaluation that has row scores, their intervals, the protocol in
// which they were measured, and published values of the same model.
std::string evaluation_html(const Session& session, const Evaluation& e, const Provenance& provenance);

}  // namespace gpuvae::apps
