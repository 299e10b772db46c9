// Citation networks of the Planetoid collection (Yang, Cohen and Salakhutdinov, 2016: Cora, CiteSeer): papers, the
// words they use, who cites whom, and the public split. Four text files a network, plain or gzip, numbers in
// decimal, one space apart:
//
//   features.txt   "papers words entries", then a line a paper: the numbers of its words, ascending
//   labels.txt     a line a paper: its class, or -1 for one that has none and stands in no split
//   edges.txt      "papers edges", then a line an edge: two papers, the smaller first, in ascending order
//   split.txt      "train", "val" and "test", each a line, with the papers behind the word
#pragma once

#include <string>
#include <vector>

#include "core/sparse.h"
#include "data/reader.h"

namespace tenon {

struct CitationNetwork {
  std::string name;                ///< as it was asked for; "" if it was read from files
  CsrMatrix features;              ///< float32 [papers, words]: 1 for each word that a paper uses
  Tensor labels;                   ///< int64 [papers], 0 to classes - 1, or -1
  Tensor edges;                    ///< int64 [2, edges]: each undirected edge once
  Tensor train, validation, test;  ///< int64: numbers of papers; no paper stands in two of them
  int64_t classes = 0;
  std::string source;  ///< the folder it was read from

  int64_t papers() const { return features.rows(); }
  int64_t words() const { return features.columns(); }
};

/// Reads the four files. Throws Error naming file, byte, line and expectation for anything but whole, well-formed
/// files that fit one another; every class has a paper.
CitationNetwork read_planetoid(FileReader& features, FileReader& labels, FileReader& edges,
                               FileReader& split);
/// Those of a folder.
CitationNetwork read_planetoid(const std::string& folder);

/// "cora", "citeseer".
const std::vector<std::string>& citation_network_names();
/// Reads the network from the first of these folders that is there, and checks its counts against the published
/// ones: $TENON_DATA/planetoid/<name>, then <cache>/planetoid/<name>, the cache being $TENON_CACHE or
/// ~/.cache/tenon. Throws Error on an unknown name, a folder that is nowhere, or any deviation.
CitationNetwork load_citation_network(const std::string& name);

}  // namespace tenon
