// The condition y of decoded examples of a conditional model (--condition).
#pragma once

#include "apps/run/session.h"

namespace gpuvae::apps {

// What --class and --given say; empty texts stand for what the functions below do without them.
struct GivenCondition {
  std::string class_name;  // name or number of a class
  std::string columns;     // values of the condition's columns in the units of the file: "30,1.5"
};

bool is_conditional(const Session& session);
// The names of the distributions in captions: "q(z | x)" and "p(x | z)", or "q(z | x, y)" and "p(x | z, y)".
const char* posterior_name(const Session& session);
const char* decoder_name(const Session& session);
// Whether the features are bytes and the columns of the condition numbers of any size, which only Python and
// C can train: in a file of bytes, the columns of the condition are divided by 255, too.
bool has_numbers_beside_bytes(const Session& session);
// Whether the condition has the one-hot code of a class.
bool has_class_condition(const Session& session);
// The names of the classes of the condition: those of the data, or "0", "1", ...; none without a class.
std::vector<std::string> condition_class_names(const Session& session);
// The numbers of the classes that the training data have, in their order; {0} without a class in the
// condition.
std::vector<int> condition_classes(const Session& session);
// The class of `given`, or condition_classes(). Without a class in the condition, the result is {0}.
std::vector<int> shown_classes(const Session& session, const GivenCondition& given, const char* operation);
// The condition of each of the classes, [classes.size(), conditions] on the model's device, or an undefined
// tensor for a model without a condition. Columns that `given` lacks have their mean over the training data,
// which requires the data unless they are standardised. Throws Error for values that do not fit.
Tensor condition_rows(const Session& session, const std::vector<int>& classes, const GivenCondition& given,
                      const char* operation);
// A column of the condition: its range and its mean over the training data, in the units of the data. Without
// the training data, the range is two standard deviations around the mean.
struct ConditionColumn {
  std::string name;
  double low = 0, high = 0, mean = 0;
  double scale = 1;  // the model's value per unit of the data
};
// The columns of the condition; none without columns. `operation` is the origin of errors.
std::vector<ConditionColumn> condition_columns(const Session& session, const char* operation);
// Throws Error if `given` does not fit the model.
void check_given(const Session& session, const GivenCondition& given, const char* operation);

}  // namespace gpuvae::apps
