// Whether the files of the home belong together, as far as can be told now: what vault.check and through it
// `popvault doctor` say. Reads only. One thread (the loop's).
#pragma once

#include <string>
#include <vector>

#include "session/session.hpp"

namespace popvault {

struct FileProblem {
  std::string file;     // its path in the home
  std::string problem;  // one sentence
  std::string remedy;   // what the owner can do
};

// `refused`: why the last unlock was refused, where that is known; while locked the seals of state.db's rows cannot be
// checked otherwise.
std::vector<FileProblem> check_files(Session& session, const std::optional<Error>& refused);

}  // namespace popvault
