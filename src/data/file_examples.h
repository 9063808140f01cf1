// Examples that stay in an NPY or IDX file.
#pragma once

#include "src/data/rows.h"

namespace gpuvae::data {

// Returns the rows of a file as examples. They are converted as they are read, with the results of convert().
// `chosen` selects the rows whose flag is `which`; empty selects all. Throws Error if a number of an f64
// array is beyond f32.
std::shared_ptr<const ExampleSource> file_examples(const Rows& rows, const ValueRange& range,
                                                   const Standardization& by,
                                                   const std::vector<bool>& chosen = {}, bool which = true);

// Returns the values of the first rows of a file, which are all examples of `source`: one that file_examples
// returned for all rows, or a part of it that begins with the first row.
FileValues first_values(const ExampleSource& source);

// Returns a part of a source.
std::shared_ptr<const ExampleSource> part_of(std::shared_ptr<const ExampleSource> whole, std::int64_t first,
                                             std::int64_t count);

}  // namespace gpuvae::data
