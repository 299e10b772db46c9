// `make cuda-report`: what nvcc tells of the kernels without a card. Reads, for each file of cuda/kernels/, what
// ptxas said (NAME.log, for all architectures) and the PTX (NAME.ptx), and prints a page with a row a kernel.
// `--counts FILE` appends the table of what cases compute and move (bench --list). `--check FILE` compares with an earlier page instead, and fails where a kernel spills more or has a lower
// occupancy.
//
// A template is one row: its worst instance counts. The block is that of __launch_bounds__, or else 256 threads;
// occupancy is NVIDIA's own calculation (cuda_occupancy.h) for static shared memory alone.
#include <cuda_occupancy.h>
#include <cxxabi.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

// ---- architectures -----------------------------------------------------------------------------------------

struct Architecture {
  int sm;                     // 90 for sm_90
  int threads;                // a multiprocessor holds so many
  int shared_kib, optin_kib;  // shared memory of a multiprocessor, and at most of a block
  int multiprocessors;
};
// CUDA C++ Programming Guide, "Technical specifications per compute capability"; the cards are A100, H100, B200
// and RTX 5090.
constexpr std::array<Architecture, 4> kArchitectures = {{{80, 2048, 164, 163, 108},
                                                         {90, 2048, 228, 227, 132},
                                                         {100, 2048, 228, 227, 148},
                                                         {120, 1536, 100, 99, 170}}};

size_t index_of(int sm) {
  for (size_t i = 0; i < kArchitectures.size(); ++i)
    if (kArchitectures[i].sm == sm) return i;
  throw std::runtime_error("cuda-report: no properties of sm_" + std::to_string(sm));
}

// ---- what ptxas and the PTX say ----------------------------------------------------------------------------

// How many instructions move so many bits.
using Widths = std::map<int, int>;

struct Code {
  int block = 256;
  Widths loads, stores;  // of global memory
};

struct Instance {
  std::string symbol;
  int registers = 0, spill_bytes = 0, shared_bytes = 0;
};

std::string after(const std::string& line, const char* word) {
  const size_t at = line.find(word);
  return at == std::string::npos ? "" : line.substr(at + std::strlen(word));
}

// The number that stands before `word`, 0 if there is none.
int number_before(const std::string& line, const char* word) {
  size_t at = line.find(word);
  if (at == std::string::npos) return 0;
  while (at > 0 && line[at - 1] == ' ') --at;
  size_t begin = at;
  while (begin > 0 && std::isdigit(static_cast<unsigned char>(line[begin - 1]))) --begin;
  return begin == at ? 0 : std::stoi(line.substr(begin, at - begin));
}

std::ifstream opened(const std::string& path) {
  std::ifstream in(path);
  if (!in) throw std::runtime_error("cuda-report: cannot read " + path);
  return in;
}

std::array<std::vector<Instance>, kArchitectures.size()> read_log(const std::string& path) {
  std::array<std::vector<Instance>, kArchitectures.size()> found;
  std::ifstream in = opened(path);
  Instance* current = nullptr;
  for (std::string line; std::getline(in, line);) {
    if (line.find("Compiling entry function '") != std::string::npos) {
      const std::string rest = after(line, "Compiling entry function '");
      auto& instances = found[index_of(std::stoi(after(rest, "sm_")))];
      instances.push_back({rest.substr(0, rest.find('\'')), 0, 0, 0});
      current = &instances.back();
    } else if (current != nullptr) {
      // Functions that were not inlined follow their kernel, and spill on its account.
      current->spill_bytes +=
          number_before(line, "bytes spill stores") + number_before(line, "bytes spill loads");
      if (line.find("Used ") == std::string::npos) continue;
      current->registers = number_before(line, "registers");
      current->shared_bytes = number_before(line, "bytes smem");
    }
  }
  return found;
}

// "ld.global.nc.v4.f32" moves 128 bits.
int bits_of(const std::string& instruction) {
  int count = 1, bits = 0;
  std::istringstream parts(instruction);
  for (std::string part; std::getline(parts, part, '.');) {
    if (part.size() > 1 && part[0] == 'v' && std::isdigit(static_cast<unsigned char>(part[1])))
      count = std::stoi(part.substr(1));
    if (part.size() > 1 && std::strchr("fusb", part[0]) != nullptr &&
        std::isdigit(static_cast<unsigned char>(part[1])))
      bits = std::stoi(part.substr(1));
  }
  return count * bits;
}

std::map<std::string, Code> read_ptx(const std::string& path) {
  std::map<std::string, Code> found;
  std::ifstream in = opened(path);
  Code* current = nullptr;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string word;
    words >> word;
    if (!word.empty() && word[0] == '@') words >> word;  // a predicate stands before
    if (line.find(".entry ") != std::string::npos) {
      const std::string rest = after(line, ".entry ");
      current = &found[rest.substr(0, rest.find('('))];
    } else if (current != nullptr && word == ".maxntid") {
      std::string extents = after(line, ".maxntid");
      std::replace(extents.begin(), extents.end(), ',', ' ');
      std::istringstream numbers(extents);
      current->block = 1;
      for (int extent; numbers >> extent;) current->block *= extent;
    } else if (current != nullptr && word.rfind("ld.global", 0) == 0) {
      ++current->loads[bits_of(word)];
    } else if (current != nullptr && word.rfind("st.global", 0) == 0) {
      ++current->stores[bits_of(word)];
    }
  }
  return found;
}

// "void tenon::cuda::(anonymous namespace)::reduce_kernel<...>(...)" is "reduce_kernel".
std::string kernel_name(const std::string& symbol) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(
      abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status), std::free);
  if (status != 0) return symbol;
  std::string name = text.get();
  const std::string anonymous = "(anonymous namespace)::";
  for (size_t at; (at = name.find(anonymous)) != std::string::npos;) name.erase(at, anonymous.size());
  name = name.substr(0, name.find_first_of("<("));
  return name.substr(name.find_last_of(": ") + 1);
}

// ---- occupancy ---------------------------------------------------------------------------------------------

struct Occupancy {
  int percent = 0;
  std::string limiter;
};

Occupancy occupancy_of(const Architecture& a, const Instance& instance, int block) {
  cudaOccDeviceProp device;
  device.computeMajor = a.sm / 10, device.computeMinor = a.sm % 10;
  device.maxThreadsPerBlock = 1024, device.maxThreadsPerMultiprocessor = a.threads;
  device.regsPerBlock = device.regsPerMultiprocessor = 65536;
  device.warpSize = 32;
  device.sharedMemPerBlock = 48 << 10;
  device.sharedMemPerMultiprocessor = static_cast<size_t>(a.shared_kib) << 10;
  device.sharedMemPerBlockOptin = static_cast<size_t>(a.optin_kib) << 10;
  device.reservedSharedMemPerBlock = 1 << 10;
  device.numSms = a.multiprocessors;
  cudaOccFuncAttributes function{};
  function.maxThreadsPerBlock = INT_MAX;
  function.numRegs = instance.registers;
  function.sharedSizeBytes = static_cast<size_t>(instance.shared_bytes);
  function.partitionedGCConfig = PARTITIONED_GC_OFF;
  function.numBlockBarriers = 1;
  const cudaOccDeviceState state;
  cudaOccResult result;
  if (cudaOccMaxActiveBlocksPerMultiprocessor(&result, &device, &function, &state, block, 0) !=
      CUDA_OCC_SUCCESS)
    throw std::runtime_error("cuda-report: cuda_occupancy.h does not know sm_" + std::to_string(a.sm));
  Occupancy found;
  found.percent = 100 * result.activeBlocksPerMultiprocessor * block / a.threads;
  const unsigned limits = result.limitingFactors;
  found.limiter = limits & OCC_LIMIT_WARPS           ? "threads"
                  : limits & OCC_LIMIT_REGISTERS     ? "registers"
                  : limits & OCC_LIMIT_SHARED_MEMORY ? "shared memory"
                                                     : "blocks";
  return found;
}

// ---- the table ---------------------------------------------------------------------------------------------

using PerArchitecture = std::array<int, kArchitectures.size()>;

struct Row {
  int instances = 0, block = 0;
  PerArchitecture registers{}, spill_bytes{}, shared_bytes{}, occupancy{};
  std::array<std::string, kArchitectures.size()> limiter;
  Widths loads, stores;
};
using Table = std::map<std::string, Row>;  // by "file.cu: kernel"

void read_file(const std::string& stem, Table& table) {
  const std::string file = stem.substr(stem.rfind('/') + 1) + ".cu: ";
  const std::map<std::string, Code> code = read_ptx(stem + ".ptx");
  for (const auto& [symbol, counted] : code) {
    Row& row = table[file + kernel_name(symbol)];
    ++row.instances;
    row.block = std::max(row.block, counted.block);
    row.occupancy.fill(INT_MAX);
    for (const auto& [bits, count] : counted.loads) row.loads[bits] += count;
    for (const auto& [bits, count] : counted.stores) row.stores[bits] += count;
  }
  const auto instances = read_log(stem + ".log");
  for (size_t a = 0; a < kArchitectures.size(); ++a) {
    for (const Instance& instance : instances[a]) {
      Row& row = table.at(file + kernel_name(instance.symbol));
      row.registers[a] = std::max(row.registers[a], instance.registers);
      row.spill_bytes[a] += instance.spill_bytes;
      row.shared_bytes[a] = std::max(row.shared_bytes[a], instance.shared_bytes);
      const Occupancy here = occupancy_of(kArchitectures[a], instance, code.at(instance.symbol).block);
      if (here.percent < row.occupancy[a]) row.occupancy[a] = here.percent, row.limiter[a] = here.limiter;
    }
  }
}

// One value where all architectures agree.
template <class Values>
std::string joined(const Values& values) {
  std::ostringstream out;
  out << values[0];
  if (std::all_of(values.begin(), values.end(), [&](const auto& v) { return v == values[0]; }))
    return out.str();
  for (size_t i = 1; i < values.size(); ++i) out << " / " << values[i];
  return out.str();
}

std::string joined(const Widths& widths) {
  std::string out;
  for (const auto& [bits, count] : widths)
    out += (out.empty() ? "" : ", ") + std::to_string(bits) + ": " + std::to_string(count);
  return out.empty() ? "–" : out;
}

void print(const Table& table, const std::string& counts_path) {
  std::cout
      << "# The kernels, as nvcc sees them\n\n"
         "Written by `make cuda-report`; `make cuda-report-check` fails where a kernel spills more, or has a "
         "lower "
         "occupancy, than here.\nNothing on this page was run.\n\n"
         "Four values are sm_80 / 90 / 100 / 120; one value is all of them. A template is one row: the most "
         "registers and shared memory and the\nlowest occupancy of its instances, the spills of all. The "
         "block is "
         "that of `__launch_bounds__`, or else 256 threads; occupancy counts no\ndynamic shared memory. "
         "Loads and "
         "stores of global memory are counted in the PTX of sm_90, over all instances.\n\n";
  std::cout << "| kernel | instances | block | registers | spilled bytes | static shared bytes | occupancy % "
               "| limited by "
               "| global loads, bits: count | stores |\n|---|---|---|---|---|---|---|---|---|---|\n";
  for (const auto& [name, row] : table)
    std::cout << "| " << name << " | " << row.instances << " | " << row.block << " | "
              << joined(row.registers) << " | " << joined(row.spill_bytes) << " | "
              << joined(row.shared_bytes) << " | " << joined(row.occupancy) << " | " << joined(row.limiter)
              << " | " << joined(row.loads) << " | " << joined(row.stores) << " |\n";
  if (counts_path.empty()) return;
  std::cout << "\n# What the cases of `make bench` compute and move\n\n"
               "Bounds and floors are those of an H100 at its published rates: 67 TFLOP/s in float32 and "
               "3.35 TB/s, "
               "132 multiprocessors.\n\n"
            << opened(counts_path).rdbuf();
}

// ---- the guard ---------------------------------------------------------------------------------------------

PerArchitecture parse(std::string cell) {
  std::replace(cell.begin(), cell.end(), '/', ' ');
  std::istringstream in(cell);
  PerArchitecture values{};
  in >> values[0];
  for (size_t i = 1; i < values.size(); ++i)
    if (!(in >> values[i])) values[i] = values[i - 1];
  return values;
}

// Columns of an earlier table that the guard compares.
struct Earlier {
  PerArchitecture spill_bytes{}, occupancy{};
};

std::map<std::string, Earlier> read_table(const std::string& path) {
  std::map<std::string, Earlier> found;
  std::ifstream in = opened(path);
  for (std::string line; std::getline(in, line);) {
    std::vector<std::string> cells;
    std::istringstream split(line);
    for (std::string cell; std::getline(split, cell, '|');) cells.push_back(cell);
    if (cells.size() < 11 || cells[1].find(".cu: ") == std::string::npos) continue;
    found[cells[1].substr(1, cells[1].size() - 2)] = {parse(cells[5]), parse(cells[7])};
  }
  return found;
}

int check(const Table& table, const std::string& path) {
  const std::map<std::string, Earlier> before = read_table(path);
  int worse = 0;
  for (const auto& [name, row] : table) {
    const auto earlier = before.find(name);
    if (earlier == before.end()) std::cout << name << ": not in " << path << " yet\n";
    for (size_t a = 0; a < kArchitectures.size(); ++a) {
      const int spilled = earlier == before.end() ? 0 : earlier->second.spill_bytes[a];
      const int occupancy = earlier == before.end() ? 0 : earlier->second.occupancy[a];
      if (row.spill_bytes[a] <= spilled && row.occupancy[a] >= occupancy) continue;
      ++worse;
      std::cout << name << " on sm_" << kArchitectures[a].sm << ": " << row.spill_bytes[a]
                << " bytes spilled (were " << spilled << "), occupancy " << row.occupancy[a] << " % (was "
                << occupancy << ")\n";
    }
  }
  std::cout << table.size() << " kernels, " << worse << " worse than " << path << "\n";
  return worse == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::string compared, counts;
    Table table;
    for (int i = 1; i < argc; ++i) {
      if (std::strcmp(argv[i], "--check") == 0 && i + 1 < argc) {
        compared = argv[++i];
      } else if (std::strcmp(argv[i], "--counts") == 0 && i + 1 < argc) {
        counts = argv[++i];
      } else {
        read_file(argv[i], table);
      }
    }
    if (!compared.empty()) return check(table, compared);
    print(table, counts);
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
