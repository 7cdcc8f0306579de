package s3server

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3api/utils"
)

const (
	bucketsDir    = "buckets"
	attributesDir = "attributes"
)

// maxCopyBytes is S3's limit for the source of a copy. Without it versitygw's library
// copies nothing.
const maxCopyBytes = 5 << 30

// openFiles opens the data folder, creates missing buckets, and returns the backend
// and the folder's absolute path.
func openFiles(dir string, buckets []string) (*posix.Posix, string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, "", err
	}
	for _, bucket := range buckets {
		if !utils.IsValidBucketName(bucket) {
			return nil, "", fmt.Errorf("%q is not a valid bucket name", bucket)
		}
		if err := os.MkdirAll(filepath.Join(dir, bucketsDir, bucket), 0o755); err != nil {
			return nil, "", err
		}
	}
	root := filepath.Join(dir, bucketsDir)
	if err := os.MkdirAll(root, 0o755); err != nil {
		return nil, "", err
	}
	attributes, err := openAttributes(dir, root)
	if err != nil {
		return nil, "", err
	}
	files, err := posix.New(root, attributes, posix.PosixOpts{CopyObjectThreshold: maxCopyBytes})
	return files, dir, err
}

// openAttributes returns the storage of metadata and tags: extended attributes if the
// file system supports them, else separate files. With extended attributes, content
// and ETag appear together, so a reader never sees the content of one version with
// the ETag of another. A folder that already has separate files keeps them.
func openAttributes(dir, root string) (meta.MetadataStorer, error) {
	attributes := filepath.Join(dir, attributesDir)
	if _, err := os.Stat(attributes); err != nil && (meta.XattrMeta{}).Test(root) == nil {
		return meta.XattrMeta{}, nil
	}
	if err := os.MkdirAll(attributes, 0o755); err != nil {
		return nil, err
	}
	return meta.NewSideCar(attributes)
}
