// Text and holes in order, neighbouring text in one piece.
#pragma once

#include "wire/match.hpp"

namespace popvault::wire {

class Pieces {
 public:
  void text(std::string_view text) {
    if (out_.empty() || !std::holds_alternative<std::string>(out_.back())) out_.emplace_back(std::string());
    std::get_if<std::string>(&out_.back())->append(text);
  }
  void hole(Hole hole, Escape escape) {
    hole.escape = escape;
    out_.emplace_back(std::move(hole));
  }
  std::vector<Piece> take() { return std::move(out_); }

 private:
  std::vector<Piece> out_;
};

}  // namespace popvault::wire
