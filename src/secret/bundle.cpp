#include "secret/bundle.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "secret/arena.hpp"

namespace popvault {
namespace {

constexpr char kMagic[] = "PVBUNDL1";
constexpr std::uint16_t kVersion = 1;
constexpr long kSecretMagic = 0x5345434d;  // SECRETMEM_MAGIC, linux/include/uapi/linux/magic.h

void write_header(std::uint8_t* at, std::size_t body, const JobId& job) {
  std::memcpy(at, kMagic, 8);
  at[8] = 0;
  at[9] = kVersion;
  at[10] = at[11] = 0;
  for (int i = 0; i < 4; ++i) at[12 + i] = static_cast<std::uint8_t>(body >> (24 - 8 * i) & 0xff);
  std::memcpy(at + 16, job.data(), job.size());
}

// The body's length, or 0 when the header or body is wrong.
std::size_t checked_body(ByteView region, const JobId& job) {
  ByteReader in(region);
  const auto magic = in.take(8);
  const auto version = in.u16();
  const auto zero = in.u16();
  const auto size = in.u32();
  const auto id = in.take(job.size());
  if (!id || std::memcmp(magic->data(), kMagic, 8) != 0 || *version != kVersion || *zero != 0) return 0;
  if (!equal_constant_time(*id, job)) return 0;
  const auto body = in.take(*size);
  if (!body || !SecretFields::well_formed(*body)) return 0;
  return *size;
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { close(fd_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

 private:
  int fd_;
};

std::size_t read_all(int fd, std::uint8_t* to, std::size_t limit) {
  std::size_t got = 0;
  while (got < limit) {
    const ssize_t n = read(fd, to + got, limit - got);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    got += static_cast<std::size_t>(n);
  }
  return got;
}

}  // namespace

Result<BundleWriter> BundleWriter::create(const JobId& job) {
  BundleWriter out;
  out.job_ = job;
  out.fd_ = open_secret_memory(kBundleSize);
  if (out.fd_ >= 0) {
    void* const region = mmap(nullptr, kBundleSize, PROT_READ | PROT_WRITE, MAP_SHARED, out.fd_, 0);
    if (region == MAP_FAILED) {
      close(std::exchange(out.fd_, -1));  // over RLIMIT_MEMLOCK: the pipe needs less
    } else {
      madvise(region, kBundleSize, MADV_DONTFORK);
      out.region_ = static_cast<std::uint8_t*>(region);
    }
  }
  if (out.region_ == nullptr) out.region_ = static_cast<std::uint8_t*>(secret_allocate(kBundleSize));
  return out;
}

BundleWriter::BundleWriter(BundleWriter&& other) noexcept
    : region_(std::exchange(other.region_, nullptr)), fd_(std::exchange(other.fd_, -1)), job_(other.job_) {}

BundleWriter::~BundleWriter() {
  if (region_ == nullptr) return;
  if (fd_ < 0) {
    secret_free(region_, kBundleSize);
    return;
  }
  wipe(region_, kBundleSize);
  munmap(region_, kBundleSize);
  close(fd_);
}

std::span<std::uint8_t> BundleWriter::body(SecretAccess) noexcept {
  return {region_ + kBundleHeader, kMaxFieldsSize};
}

Result<int> BundleWriter::finish(std::size_t size) {
  if (size > kMaxFieldsSize || !SecretFields::well_formed({region_ + kBundleHeader, size}))
    return fail(Errc::internal, "bundle");
  write_header(region_, size, job_);
  if (fd_ >= 0) {
    munmap(std::exchange(region_, nullptr), kBundleSize);
    return std::exchange(fd_, -1);
  }
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail_errno(errno, "pipe");
  // The whole bundle fits the pipe's buffer (64 KiB by default), so this never waits for the reader.
  std::size_t sent = 0;
  while (sent < kBundleHeader + size) {
    const ssize_t n = write(ends[1], region_ + sent, kBundleHeader + size - sent);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    sent += static_cast<std::size_t>(n);
  }
  const int error = errno;
  close(ends[1]);
  if (sent == kBundleHeader + size) return ends[0];
  close(ends[0]);
  return fail_errno(error, "bundle pipe");
}

Result<Bundle> Bundle::receive(int fd, const JobId& expected_job) {
  const auto wrong = [] { return fail(Errc::invalid_params, "the secret bundle is malformed"); };
  if (fd < 0) return fail(Errc::invalid_params, "a secret bundle must come with this request");
  const Descriptor closed_at_return(fd);
  struct stat st {};
  struct statfs fs {};
  if (fstat(fd, &st) != 0 || fstatfs(fd, &fs) != 0) return wrong();
  Bundle out;
  out.region_ = static_cast<std::uint8_t*>(secret_allocate(kBundleSize));
  if (S_ISFIFO(st.st_mode)) {
    // A client that keeps the write end open must not hold us: take what is there.
    fcntl(fd, F_SETFL, O_NONBLOCK);
    const std::size_t size = read_all(fd, out.region_, kBundleSize);
    std::uint8_t more = 0;
    if (read_all(fd, &more, 1) != 0) return wrong();
    out.body_ = checked_body({out.region_, size}, expected_job);
    if (out.body_ == 0 || size != kBundleHeader + out.body_) return wrong();
    return out;
  } else if (static_cast<long>(fs.f_type) == kSecretMagic && st.st_size == static_cast<off_t>(kBundleSize)) {
    void* const region = mmap(nullptr, kBundleSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (region == MAP_FAILED) return fail_errno(errno, "mapping the bundle");
    // The sender may still map the region and change it under us: check and use a private copy.
    std::memcpy(out.region_, region, kBundleSize);
    wipe(region, kBundleSize);
    munmap(region, kBundleSize);
  } else {
    return wrong();
  }
  out.body_ = checked_body({out.region_, kBundleSize}, expected_job);
  if (out.body_ == 0) return wrong();
  return out;
}

Bundle Bundle::of(const SecretFields& fields) {
  const ByteView block = fields.reveal(SecretAccess{});
  Bundle out;
  out.region_ = static_cast<std::uint8_t*>(secret_allocate(kBundleSize));
  out.body_ = block.size();
  std::memcpy(out.region_ + kBundleHeader, block.data(), block.size());
  return out;
}

Bundle::Bundle(Bundle&& other) noexcept
    : region_(std::exchange(other.region_, nullptr)),
      body_(std::exchange(other.body_, 0)) {}

Bundle::~Bundle() { reset(); }

void Bundle::reset() noexcept {
  if (region_ == nullptr) return;
  secret_free(std::exchange(region_, nullptr), kBundleSize);
  body_ = 0;
}

std::optional<ByteView> Bundle::find(std::string_view name, SecretAccess) const noexcept {
  return find_field({region_ + kBundleHeader, body_}, name);
}

Result<SecretFields> Bundle::fields() const {
  return SecretFields::parse(SecretBytes::copy_of({region_ + kBundleHeader, body_}));
}

Result<int> bundle_of(const SecretFields& fields, const JobId& job) {
  PV_ASSIGN(BundleWriter writer, BundleWriter::create(job));
  const ByteView block = fields.reveal(SecretAccess{});
  if (block.empty()) return fail(Errc::internal, "empty bundle");
  std::memcpy(writer.body(SecretAccess{}).data(), block.data(), block.size());
  return writer.finish(block.size());
}

}  // namespace popvault
