// Listing the folder once, in an order that depends on names alone; decoding on demand.
#include "data/image_folder.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

namespace tenon {
namespace {

namespace fs = std::filesystem;

// Names in a folder that `wanted` accepts, sorted.
template <class F>
std::vector<std::string> list(const fs::path& folder, F&& wanted) {
  std::vector<std::string> names;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  TENON_CHECK(!error, folder.string(), ": expected a folder of pictures: ", error.message());
  for (; entry != fs::directory_iterator(); entry.increment(error)) {
    TENON_CHECK(!error, folder.string(), ": cannot be listed: ", error.message());
    const std::string name = entry->path().filename().string();
    if (name[0] != '.' && wanted(*entry)) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool is_picture(const fs::directory_entry& entry) {
  std::string ending = entry.path().extension().string();
  for (char& letter : ending)
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  return ending == ".png" || ending == ".jpg" || ending == ".jpeg";
}

// Resizes so that height x width is just covered, and takes the middle.
Tensor cover(const Tensor& image, int64_t height, int64_t width) {
  const auto from_height = static_cast<double>(image.size(1)),
             from_width = static_cast<double>(image.size(2));
  const double scale =
      std::max(static_cast<double>(height) / from_height, static_cast<double>(width) / from_width);
  const Tensor covering = resize_image(image, std::max<int64_t>(height, std::llround(from_height * scale)),
                                       std::max<int64_t>(width, std::llround(from_width * scale)));
  return covering.narrow(1, (covering.size(1) - height) / 2, height)
      .narrow(2, (covering.size(2) - width) / 2, width)
      .contiguous();
}

}  // namespace

ImageFolder::ImageFolder(const std::string& folder, const ImageFolderOptions& options) : options_(options) {
  TENON_CHECK(options.height >= 0 && options.width >= 0 && (options.height == 0) == (options.width == 0),
              "ImageFolder: expects height and width, or neither, got ", options.height, " x ",
              options.width);
  class_names_ = list(folder, [](const fs::directory_entry& entry) { return entry.is_directory(); });
  TENON_CHECK(!class_names_.empty(), folder, ": expected a subfolder for each class, there is none");
  for (size_t label = 0; label < class_names_.size(); ++label) {
    const fs::path place = fs::path(folder) / class_names_[label];
    const std::vector<std::string> pictures = list(place, is_picture);
    TENON_CHECK(!pictures.empty(), place.string(), ": expected pictures (.png, .jpg, .jpeg), there is none");
    for (const std::string& name : pictures)
      samples_.push_back({(place / name).string(), static_cast<int64_t>(label)});
  }
  shape_ = load(samples_[0].path).shape();
}

Tensor ImageFolder::load(const std::string& path) const {
  const Tensor image = read_image(path, options_.channels);
  return options_.height > 0 ? cover(image, options_.height, options_.width) : image;
}

int64_t ImageFolder::read(int64_t index, float* image) const {
  const Sample& sample = samples_[static_cast<size_t>(index)];
  const Tensor picture = load(sample.path);
  TENON_CHECK(picture.shape() == shape_, sample.path, ": expected a picture ", shape_, " like ",
              samples_[0].path, ", got ", picture.shape());
  bytes_to_unit(picture.data<uint8_t>(), picture.numel(), image);
  return sample.label;
}

}  // namespace tenon
