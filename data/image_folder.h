// A folder of pictures, one subfolder a class.
#pragma once

#include <string>
#include <vector>

#include "data/image.h"
#include "data/image_source.h"

namespace tenon {

struct ImageFolderOptions {
  Channels channels = Channels::rgb;
  /// Size that every image gets: the picture is resized so that it just covers height x width, and its middle
  /// is taken. 0 (both or neither): pictures are taken as they are, and must all have the size of the first.
  int64_t height = 0, width = 0;
};

/// `<folder>/<class>/<picture>.png|jpg|jpeg`: classes are numbered in the order of their names' bytes,
/// pictures come class by class in the order of theirs. Other files, and names that begin with a dot, are not
/// looked at. Pictures are decoded when they are read.
class ImageFolder final : public ImageSource {
 public:
  /// Throws Error if the folder cannot be read, has no class, or a class has no picture.
  ImageFolder(const std::string& folder, const ImageFolderOptions& options);

  const std::vector<std::string>& class_names() const { return class_names_; }
  const std::string& path(int64_t index) const { return samples_[static_cast<size_t>(index)].path; }
  int64_t label(int64_t index) const { return samples_[static_cast<size_t>(index)].label; }
  int64_t size() const override { return static_cast<int64_t>(samples_.size()); }
  Shape image_shape() const override { return shape_; }
  /// Throws Error if the picture cannot be decoded, or has another size where none was asked for.
  int64_t read(int64_t index, float* image) const override;

 private:
  struct Sample {
    std::string path;
    int64_t label;
  };
  Tensor load(const std::string& path) const;

  ImageFolderOptions options_;
  std::vector<std::string> class_names_;
  std::vector<Sample> samples_;
  Shape shape_;
};

}  // namespace tenon
