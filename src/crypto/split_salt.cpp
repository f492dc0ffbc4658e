// split_salt SALT_FILE OUTPUT: writes two byte arrays whose XOR is the salt (1 to 64 bytes), the first one
// random. Runs at build time only; see compiled_salt.hpp. Leaves no output file when it fails.
#include <sys/random.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <vector>

namespace {

constexpr std::size_t kMaxSalt = 64;

void write_array(std::FILE* out, const char* name, const std::vector<std::uint8_t>& bytes) {
  std::fprintf(out, "const volatile std::uint8_t %s[%zu] = {", name, bytes.size());
  for (const std::uint8_t b : bytes) std::fprintf(out, "0x%02x,", static_cast<unsigned>(b));
  std::fprintf(out, "};\n");
}

int refuse(const char* why) {
  std::fprintf(stderr, "split_salt: %s\n", why);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return refuse("give the salt file and the output file");
  std::ifstream in(argv[1], std::ios::binary);
  if (!in) return refuse("the salt file cannot be read");
  std::vector<std::uint8_t> salt{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (salt.empty() || salt.size() > kMaxSalt) return refuse("the salt must have 1 to 64 bytes");
  std::vector<std::uint8_t> mask(salt.size());
  if (getrandom(mask.data(), mask.size(), 0) != static_cast<ssize_t>(mask.size()))
    return refuse("no random bytes");
  for (std::size_t i = 0; i < salt.size(); ++i) salt[i] = static_cast<std::uint8_t>(salt[i] ^ mask[i]);
  std::FILE* const out = std::fopen(argv[2], "wb");
  if (out == nullptr) return refuse("the output file cannot be made");
  std::fprintf(out, "// Made by split_salt at build time.\n");
  write_array(out, "kHalfA", mask);
  write_array(out, "kHalfB", salt);
  const bool written = std::ferror(out) == 0;
  if (std::fclose(out) != 0 || !written) {
    std::remove(argv[2]);
    return refuse("the output file cannot be written");
  }
  return 0;
}
