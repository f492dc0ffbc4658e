// A file that somebody says is an exported journal: it is refused with one of three words and a line, or it is written
// again, line for line, as the same bytes. In pieces of any size it is read alike.
#include <cstdlib>

#include "journal/export.hpp"

using namespace popvault;

namespace {

void require(bool ok) {
  if (!ok) std::abort();
}

Result<journal::ExportSummary> read_in_pieces(const crypto::PublicKey& key, std::string_view text, std::size_t piece) {
  journal::ExportReader reader(key);
  for (std::size_t at = 0; at < text.size(); at += piece) PV_TRY(reader.feed(text.substr(at, piece)));
  return reader.finish();
}

void require_the_same_lines(std::string_view text) {
  bool first = true;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size() + 1);
    if (!first) {
      const auto row = journal::row_of_line(line);
      require(row.has_value() && journal::row_line(*row) == line);
    }
    first = false;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Of the example in docs/JOURNAL_FORMAT.md, so that the corpus holds a whole file.
  static const crypto::PublicKey key =
      *journal::public_key_of("7981b6363f787c2202566eecc350b10c6726c2728a3d0dfb3be3bcfe9b6a963d");
  const std::string_view text = as_text(ByteView(data, size));
  const auto whole = read_in_pieces(key, text, size + 1);
  const auto small = read_in_pieces(key, text, 13);
  require(whole.has_value() == small.has_value());
  if (whole) {
    require(whole->audit.head == small->audit.head && whole->audit.covered() == whole->audit.head.seq);
    require_the_same_lines(text);
    return 0;
  }
  const Errc code = whole.error().code;
  require(code == Errc::journal_broken || code == Errc::checkpoint_invalid || code == Errc::too_large);
  require(code == small.error().code && whole.error().detail == small.error().detail);
  require(whole.error().detail.starts_with("line "));
  return 0;
}
