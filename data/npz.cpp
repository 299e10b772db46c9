// .npz: a zip archive of .npy files. The central directory at the end of the file is what counts; each
// member's local header must agree with it.
#include <zlib.h>

#include <algorithm>
#include <set>

#include "data/npy.h"

namespace tenon {
namespace {

constexpr uint32_t kLocalHeader = 0x04034b50, kCentralHeader = 0x02014b50, kEnd = 0x06054b50;
constexpr uint64_t kLocalHeaderBytes = 30, kCentralHeaderBytes = 46, kEndBytes = 22;
constexpr uint16_t kStored = 0, kDeflated = 8;
constexpr uint16_t kSizesFollowData = 1 << 3, kUtf8 = 1 << 11;
constexpr uint32_t kInZip64 = 0xffffffff;

struct Member {
  std::string name;
  uint16_t flags = 0, method = 0;
  uint32_t crc = 0;
  uint64_t packed = 0, unpacked = 0, local_header = 0, data = 0;
};

// The directory's place, from the record at the very end of the file. A comment behind it is refused: nobody
// writes one, and looking for its beginning is guesswork.
struct Directory {
  uint64_t begin = 0, length = 0;
  uint16_t members = 0;
};

Directory read_end(const ByteSource& source) {
  TENON_CHECK(source.size() >= kEndBytes, source.name(),
              ": at byte 0: expected a zip archive, whose end record alone has ", kEndBytes,
              " bytes, the file has ", source.size());
  FileReader in = FileReader::window(source, source.size() - kEndBytes, kEndBytes);
  const char* what = "zip end record";
  const auto signature = in.little<uint32_t>(what);
  const auto disk = in.little<uint16_t>(what), directory_disk = in.little<uint16_t>(what);
  const auto members_here = in.little<uint16_t>(what), members = in.little<uint16_t>(what);
  const uint64_t length = in.little<uint32_t>(what), begin = in.little<uint32_t>(what);
  const auto comment = in.little<uint16_t>(what);
  const uint64_t end_record = source.size() - kEndBytes;
  TENON_CHECK(signature == kEnd && comment == 0, source.name(), ": at byte ", end_record,
              ": expected the end record of a zip archive");
  TENON_CHECK(disk == 0 && directory_disk == 0 && members_here == members, source.name(), ": at byte ",
              end_record, ": expected a zip archive in one file");
  TENON_CHECK(begin <= end_record && length == end_record - begin, source.name(), ": at byte ", end_record,
              ": expected a zip directory that ends here, got ", length, " bytes from ", begin);
  return {begin, length, members};
}

Member read_central_header(FileReader& in) {
  const char* what = "zip directory";
  Member member;
  if (in.little<uint32_t>(what) != kCentralHeader)
    in.refuse("expected a member in the zip directory before this byte");
  in.little<uint32_t>(what);  // versions
  member.flags = in.little<uint16_t>(what);
  member.method = in.little<uint16_t>(what);
  in.little<uint32_t>(what);  // time
  member.crc = in.little<uint32_t>(what);
  member.packed = in.little<uint32_t>(what);
  member.unpacked = in.little<uint32_t>(what);
  const auto name_bytes = in.little<uint16_t>(what), extra_bytes = in.little<uint16_t>(what),
             comment_bytes = in.little<uint16_t>(what);
  in.little<uint64_t>(what);  // disk and attributes
  member.local_header = in.little<uint32_t>(what);
  member.name = in.read_string(name_bytes, "name of a zip member");
  in.read_string(extra_bytes, what);
  in.read_string(comment_bytes, what);
  if ((member.flags & ~(kSizesFollowData | kUtf8 | 6)) != 0)
    in.refuse("member '", member.name, "' is encrypted or patched");
  if (member.method != kStored && member.method != kDeflated)
    in.refuse("member '", member.name, "': expected method 0 (stored) or 8 (deflated), got ", member.method);
  if (member.packed == kInZip64 || member.unpacked == kInZip64 || member.local_header == kInZip64)
    in.refuse("member '", member.name, "': expected less than 4 GiB, got zip64 sizes");
  return member;
}

// Checks the local header against the directory and finds where the data begin.
void read_local_header(const ByteSource& source, uint64_t limit, Member& member) {
  TENON_CHECK(member.local_header + kLocalHeaderBytes <= limit, source.name(), ": at byte ",
              member.local_header, ": expected the header of member '", member.name,
              "', the zip directory begins at ", limit);
  FileReader in = FileReader::window(source, member.local_header, limit - member.local_header);
  const char* what = "zip member's header";
  const auto agree = [&](bool same) {
    TENON_CHECK(same, source.name(), ": at byte ", member.local_header, ": expected the header of member '",
                member.name, "' as the zip directory describes it");
  };
  agree(in.little<uint32_t>(what) == kLocalHeader);
  in.little<uint16_t>(what);  // version
  const auto flags = in.little<uint16_t>(what);
  agree(flags == member.flags && in.little<uint16_t>(what) == member.method);
  in.little<uint32_t>(what);  // time
  const auto crc = in.little<uint32_t>(what), packed = in.little<uint32_t>(what),
             unpacked = in.little<uint32_t>(what);
  const auto name_bytes = in.little<uint16_t>(what), extra_bytes = in.little<uint16_t>(what);
  if ((flags & kSizesFollowData) == 0) {
    // NumPy always writes the sizes into a zip64 field here, and all ones in their place.
    agree(crc == member.crc && (packed == member.packed || packed == kInZip64) &&
          (unpacked == member.unpacked || unpacked == kInZip64));
  }
  agree(in.read_string(name_bytes, what) == member.name);
  in.read_string(extra_bytes, what);
  member.data = in.offset();
  in.require(member.packed, 1, "data of a zip member");
}

// Members in the order of their place in the file; they may not overlap, or a small archive could unpack to
// much.
std::vector<Member> read_directory(const ByteSource& source) {
  const Directory directory = read_end(source);
  FileReader in = FileReader::window(source, directory.begin, directory.length);
  in.require(directory.members, kCentralHeaderBytes, "zip directory");
  std::vector<Member> members;
  std::set<std::string> names;
  for (int i = 0; i < directory.members; ++i) {
    members.push_back(read_central_header(in));
    Member& member = members.back();
    if (!names.insert(member.name).second)
      in.refuse("expected each name once, got '", member.name, "' again");
    if (!member.name.ends_with(".npy"))
      in.refuse("expected members called <name>.npy, got '", member.name, "'");
    read_local_header(source, directory.begin, member);
  }
  in.expect_end();
  std::sort(members.begin(), members.end(),
            [](const Member& a, const Member& b) { return a.local_header < b.local_header; });
  for (size_t i = 1; i < members.size(); ++i)
    TENON_CHECK(members[i - 1].data + members[i - 1].packed <= members[i].local_header, source.name(),
                ": at byte ", members[i].local_header, ": members '", members[i - 1].name, "' and '",
                members[i].name, "' overlap");
  TENON_CHECK(members.empty() ? directory.begin == 0 : members[0].local_header == 0, source.name(),
              ": at byte 0: expected the first member of the zip archive");
  return members;
}

Tensor read_member(const ByteSource& source, const Member& member) {
  FileReader in = member.method == kStored
                      ? FileReader::window(source, member.data, member.packed, member.name)
                      : FileReader::deflated(source, member.data, member.packed, Packing::raw, member.name);
  if (in.remaining() != member.unpacked)
    in.refuse("expected ", member.unpacked, " bytes, got ", in.remaining());
  Tensor tensor = read_npy(in);
  if (in.checksum() != member.crc) in.refuse("expected CRC-32 ", member.crc, ", got ", in.checksum());
  return tensor;
}

void append_little(std::string& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
}

// The fields that a member's local and central headers share, from the version needed to the extra field's
// length.
void append_shared_header(std::string& out, const Member& member) {
  append_little(out, 20, 2);  // version 2.0
  append_little(out, member.flags, 2);
  append_little(out, member.method, 2);
  append_little(out, 0, 2);       // midnight
  append_little(out, 0x0021, 2);  // 1 January 1980: the same tensors give the same bytes
  append_little(out, member.crc, 4);
  append_little(out, member.packed, 4);
  append_little(out, member.unpacked, 4);
  append_little(out, member.name.size(), 2);
  append_little(out, 0, 2);
}

}  // namespace

NamedTensors read_npz(const std::string& path) { return read_npz(ByteSource::file(path)); }

NamedTensors read_npz(const ByteSource& source) {
  NamedTensors tensors;
  for (const Member& member : read_directory(source)) {
    const std::string name = member.name.substr(0, member.name.size() - std::string_view(".npy").size());
    tensors.emplace_back(name, read_member(source, member));
  }
  return tensors;
}

std::string encode_npz(const NamedTensors& tensors) {
  std::string out, directory;
  std::set<std::string> names;
  TENON_CHECK(tensors.size() < 0xffff, "encode_npz: expects fewer than 65535 tensors, got ", tensors.size());
  for (const auto& [name, tensor] : tensors) {
    TENON_CHECK(names.insert(name).second, "encode_npz: expects each name once, got '", name, "' again");
    const std::string bytes = encode_npy(tensor);
    Member member;
    member.name = name + ".npy";
    member.flags = kUtf8;
    member.crc =
        static_cast<uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
    member.packed = member.unpacked = bytes.size();
    member.local_header = out.size();
    TENON_CHECK(member.name.size() <= 0xffff, "encode_npz: a name of ", name.size(), " bytes is too long");
    append_little(out, kLocalHeader, 4);
    append_shared_header(out, member);
    out += member.name + bytes;
    append_little(directory, kCentralHeader, 4);
    append_little(directory, 20, 2);
    append_shared_header(directory, member);
    append_little(directory, 0, 2);  // comment
    append_little(directory, 0, 8);  // disk and attributes
    append_little(directory, member.local_header, 4);
    directory += member.name;
  }
  const uint64_t begin = out.size();
  TENON_CHECK(begin + directory.size() < kInZip64, "encode_npz: expects less than 4 GiB, got ", begin,
              " bytes");
  out += directory;
  append_little(out, kEnd, 4);
  append_little(out, 0, 4);
  append_little(out, tensors.size(), 2);
  append_little(out, tensors.size(), 2);
  append_little(out, directory.size(), 4);
  append_little(out, begin, 4);
  append_little(out, 0, 2);
  return out;
}

}  // namespace tenon
