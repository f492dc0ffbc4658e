#include "backup/archive.hpp"

#include <algorithm>
#include <cstring>

namespace popvault {
namespace {

struct Field {
  std::size_t at, size;
};
constexpr Field kName{0, 100}, kMode{100, 8}, kOwner{108, 8}, kGroup{116, 8}, kSize{124, 12}, kTime{136, 12},
    kSum{148, 8}, kType{156, 1}, kMagic{257, 8}, kMajor{329, 8}, kMinor{337, 8};
constexpr std::uint64_t kMaxTime = (1ULL << 33) - 1;  // eleven octal digits
constexpr unsigned kMode0600 = 0600;

constexpr TarHead kZeros{};

tl::unexpected<Error> bad(const char* what) { return fail(Errc::backup_invalid, what); }

bool valid_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '/' || c == '-';
  };
  if (name.empty() || name.size() > kName.size || !std::all_of(name.begin(), name.end(), allowed))
    return false;
  for (std::size_t at = 0; at <= name.size();) {
    const std::size_t end = std::min(name.find('/', at), name.size());
    const std::string_view part = name.substr(at, end - at);
    if (part.empty() || part == "." || part == "..") return false;
    at = end + 1;
  }
  return true;
}

// Octal digits with leading zeros; the last byte of the field stays zero.
void put_octal(TarHead& head, Field field, std::uint64_t value) {
  for (std::size_t i = field.at + field.size - 1; i-- > field.at; value >>= 3)
    head[i] = static_cast<std::uint8_t>('0' + (value & 7));
}

std::optional<std::uint64_t> octal(const TarHead& head, Field field) {
  std::uint64_t out = 0;
  for (std::size_t i = field.at; i + 1 < field.at + field.size; ++i) {
    if (head[i] < '0' || head[i] > '7') return std::nullopt;
    out = out << 3 | static_cast<std::uint64_t>(head[i] - '0');
  }
  return out;
}

void put_text(TarHead& head, Field field, std::string_view text) {
  std::memcpy(head.data() + field.at, text.data(), text.size());
}

// The sum of all bytes, its own field counted as spaces; written as six digits, NUL, space.
void put_sum(TarHead& head) {
  put_text(head, kSum, "        ");
  unsigned sum = 0;
  for (const std::uint8_t byte : head) sum += byte;
  put_octal(head, {kSum.at, 7}, sum);
  head[kSum.at + 6] = 0;
}

std::size_t padding_of(std::uint64_t size) {
  return static_cast<std::size_t>((kTarBlock - size % kTarBlock) % kTarBlock);
}

Result<TarEntry> entry_of(const TarHead& head) {
  const auto* const text = reinterpret_cast<const char*>(head.data()) + kName.at;
  const auto size = octal(head, kSize);
  const auto mtime = octal(head, kTime);
  if (!size || !mtime) return bad("a head in its archive is malformed");
  TarEntry out{std::string(text, strnlen(text, kName.size)), *size, static_cast<Seconds>(*mtime)};
  const auto again = tar_head(out);
  if (!again || *again != head) return bad("a head in its archive is malformed");
  return out;
}

}  // namespace

Result<TarHead> tar_head(const TarEntry& entry) {
  if (!valid_name(entry.name)) return fail(Errc::invalid_params, "the name of an entry");
  if (entry.size > kMaxEntry) return fail(Errc::invalid_params, "the size of an entry");
  if (entry.mtime < 0 || static_cast<std::uint64_t>(entry.mtime) > kMaxTime)
    return fail(Errc::invalid_params, "the time of an entry");
  TarHead head{};
  put_text(head, kName, entry.name);
  put_octal(head, kMode, kMode0600);
  put_octal(head, kOwner, 0);
  put_octal(head, kGroup, 0);
  put_octal(head, kSize, entry.size);
  put_octal(head, kTime, static_cast<std::uint64_t>(entry.mtime));
  put_text(head, kType, "0");
  put_text(head, kMagic, std::string_view("ustar\00000", kMagic.size));
  put_octal(head, kMajor, 0);
  put_octal(head, kMinor, 0);
  put_sum(head);
  return head;
}

Status TarWriter::put(ByteView data) {
  hash_.update(data);
  return out_->write(data);
}

Status TarWriter::end() {
  if (left_ != 0) return fail(Errc::internal, "an entry of the archive has not the size that was said");
  return put(ByteView(kZeros).first(std::exchange(padding_, 0)));
}

Status TarWriter::begin(const TarEntry& entry) {
  PV_TRY(end());
  PV_ASSIGN(const TarHead head, tar_head(entry));
  left_ = entry.size;
  padding_ = padding_of(entry.size);
  return put(head);
}

Status TarWriter::write(ByteView content) {
  if (content.size() > left_)
    return fail(Errc::internal, "an entry of the archive has not the size that was said");
  left_ -= content.size();
  return put(content);
}

Status TarWriter::add(const std::string& name, ByteView content, Seconds mtime) {
  PV_TRY(begin({name, content.size(), mtime}));
  PV_TRY(write(content));
  return end();
}

Status TarWriter::finish() {
  PV_TRY(end());
  PV_TRY(put(kZeros));
  return put(kZeros);
}

Status TarReader::take(std::span<std::uint8_t> into) {
  PV_ASSIGN(const std::size_t size, read_full(*in_, into));
  if (size != into.size()) return bad("its archive is cut");
  hash_.update(into);
  return {};
}

Status TarReader::skip_padding() {
  TarHead block{};
  const auto padding = std::span(block).first(std::exchange(padding_, 0));
  PV_TRY(take(padding));
  return block == kZeros ? Status() : Status(bad("there is something between two entries"));
}

Status TarReader::check_end() {
  TarHead block{};
  PV_TRY(take(block));
  if (block != kZeros) return bad("its archive does not end as it should");
  PV_ASSIGN(const std::size_t more, in_->read(std::span(block).first(1)));
  return more == 0 ? Status() : Status(bad("there is something behind its archive"));
}

Result<std::optional<TarEntry>> TarReader::next() {
  if (left_ != 0) return fail(Errc::internal, "an entry was not read to its end");
  PV_TRY(skip_padding());
  before_ = hash_.so_far();
  TarHead head{};
  PV_TRY(take(head));
  if (head == kZeros) {
    PV_TRY(check_end());
    return std::optional<TarEntry>();
  }
  PV_ASSIGN(TarEntry entry, entry_of(head));
  left_ = entry.size;
  padding_ = padding_of(entry.size);
  return std::optional<TarEntry>(std::move(entry));
}

Result<std::size_t> TarReader::read(std::span<std::uint8_t> into) {
  const std::size_t want = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), left_));
  if (want == 0) return 0U;
  PV_ASSIGN(const std::size_t size, in_->read(into.first(want)));
  if (size == 0) return bad("its archive is cut");
  hash_.update(into.first(size));
  left_ -= size;
  return size;
}

}  // namespace popvault
