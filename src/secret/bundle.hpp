// The secret bundle: how secret bytes go from one process to another.
//
// One region of memfd_secret(2), passed as a descriptor with SCM_RIGHTS: a 32-byte header and a block of
// SecretFields. Where the kernel has no memfd_secret, the same bytes go through a pipe whose read end is
// passed. The receiver maps (or reads) it once, closes the descriptor at once, uses it and wipes it.
//
//   0  magic "PVBUNDL1"    8  u16 version (1)    10  u16 zero    12  u32 body length    16  job id (16 bytes)
//   32 body (fields.hpp)
//
// A receiver refuses: another magic, version or job id, a body that is not exactly well-formed, a descriptor
// that is neither secret memory nor a pipe, more than kBundleSize bytes.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/result.hpp"
#include "secret/fields.hpp"

namespace popvault {

constexpr std::size_t kBundleHeader = 32;
constexpr std::size_t kBundleSize = kBundleHeader + kMaxFieldsSize;

using JobId = std::array<std::uint8_t, 16>;

// A bundle that is being made. The body span is where a record is decrypted straight into.
class BundleWriter {
 public:
  static Result<BundleWriter> create(const JobId& job);
  ~BundleWriter();
  BundleWriter(BundleWriter&& other) noexcept;
  BundleWriter& operator=(BundleWriter&&) = delete;
  BundleWriter(const BundleWriter&) = delete;

  // Room for kMaxFieldsSize bytes, all zero.
  std::span<std::uint8_t> body(SecretAccess) noexcept;
  // Seal the header over the first `size` bytes of the body and give the descriptor to send; the caller
  // closes it after sending. This object's mapping is wiped from this process's view by unmapping, and the
  // region lives on in the descriptor alone. Fails when the body is not well-formed fields.
  Result<int> finish(std::size_t size);

 private:
  BundleWriter() = default;
  std::uint8_t* region_ = nullptr;
  int fd_ = -1;  // -1: pipe mode, region_ is arena memory
  JobId job_{};
};

// A bundle that arrived. Wiped on destruction (the shared region too, so the sender's view is gone as well).
class Bundle {
 public:
  // Takes and closes `fd` in every case. Fails with invalid_params.
  static Result<Bundle> receive(int fd, const JobId& expected_job);
  // A bundle of a client: the job id is all zeros.
  static Result<Bundle> receive(int fd) { return receive(fd, JobId{}); }
  // A bundle of our own, that went through no descriptor. The fields are well formed and not empty.
  static Bundle of(const SecretFields& fields);
  ~Bundle();
  Bundle(Bundle&& other) noexcept;
  Bundle& operator=(Bundle&&) = delete;
  Bundle(const Bundle&) = delete;

  std::optional<ByteView> find(std::string_view name, SecretAccess) const noexcept;
  // All fields as an object of its own.
  Result<SecretFields> fields() const;
  void reset() noexcept;

 private:
  Bundle() = default;
  std::uint8_t* region_ = nullptr;  // a private copy in secret memory
  std::size_t body_ = 0;
};

// The whole of `fields` as a descriptor to send.
Result<int> bundle_of(const SecretFields& fields, const JobId& job = {});

}  // namespace popvault
