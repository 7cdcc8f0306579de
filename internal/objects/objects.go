// Package objects is a client of an S3-compatible object store.
package objects

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"
)

// The kinds of errors of a Store. Their texts are for logs.
var (
	// ErrNotFound means that the bucket or key does not exist.
	ErrNotFound = errors.New("no such object")
	// ErrChanged means that the object does not have the requested ETag.
	ErrChanged = errors.New("the object has been replaced")
	// ErrTooLarge means that the object is larger than the caller's limit.
	ErrTooLarge = errors.New("the object is too large")
	// ErrInvalidName means that the store does not support this bucket name or key.
	ErrInvalidName = errors.New("invalid bucket name or key")
	// ErrUnavailable means that the store does not answer or denies access.
	ErrUnavailable = errors.New("the object store is unavailable")
	// ErrDenied is the ErrUnavailable of a store that denies access: to this account, or to one with another secret key.
	ErrDenied error = deniedError{}
	// ErrUnsupported means that the store does not implement a request, or ignores a part of it. Such an
	// error of a single request is also ErrUnavailable: it ends when the setting that it names is changed.
	ErrUnsupported = errors.New("the object store lacks a feature")
)

type deniedError struct{}

func (deniedError) Error() string { return "the object store denies access" }

func (deniedError) Unwrap() error { return ErrUnavailable }

// Info describes an object, without its content.
type Info struct {
	Bucket, Key string
	// ETag identifies the version. It has no quotes.
	ETag        string
	ContentType string
	// Size is in bytes.
	Size     int64
	Modified time.Time
	// Metadata is the user metadata with keys in lower case.
	Metadata map[string]string
}

// Config is the address of a store and the credentials for it.
type Config struct {
	Endpoint  string // host:port
	AccessKey string
	SecretKey string
	Secure    bool // use HTTPS
	Region    string
	// Dial connects to the endpoint; nil means by TCP.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// ProgressTimeout is how long a transfer may make no progress before it fails with
	// ErrUnavailable. 0 means DefaultProgressTimeout.
	ProgressTimeout time.Duration

	// TagBucket is for stores without tags. If it is not empty, the tags of each object are in an object of
	// this bucket.
	TagBucket string
	// PlainWrites is for stores without conditional writes: conditions are checked just before a write or a
	// removal, so of concurrent writers the last one wins.
	PlainWrites bool
}

// Store is a client of one object store, safe for concurrent use.
type Store struct {
	core            *minio.Core
	transport       *http.Transport
	progressTimeout time.Duration
	tagBucket       string
	plainWrites     bool
}

// New returns a client. It does not connect yet.
func New(c Config) (*Store, error) {
	transport, err := minio.DefaultTransport(c.Secure)
	if err != nil {
		return nil, err
	}
	transport.MaxIdleConnsPerHost = 64
	transport.ResponseHeaderTimeout = 0 // see progressTransport
	if c.Dial != nil {
		transport.DialContext = c.Dial
	}
	core, err := minio.NewCore(c.Endpoint, &minio.Options{
		Creds:        credentials.NewStaticV4(c.AccessKey, c.SecretKey, ""),
		Secure:       c.Secure,
		Region:       c.Region,
		Transport:    progressTransport{transport},
		BucketLookup: minio.BucketLookupPath,
		// Callers retry. More retries here would only hide from them that the store is
		// down.
		MaxRetries: 2,
	})
	if err != nil {
		return nil, fmt.Errorf("object store %q: %w", c.Endpoint, err)
	}
	return &Store{
		core: core, transport: transport, progressTimeout: cmp.Or(c.ProgressTimeout, DefaultProgressTimeout),
		tagBucket: c.TagBucket, plainWrites: c.PlainWrites,
	}, nil
}

// Close closes idle connections. The store remains usable.
func (s *Store) Close() { s.transport.CloseIdleConnections() }

// Get reads an object of at most limit bytes. If etag is not empty and the object has
// another ETag, the error is ErrChanged.
func (s *Store) Get(ctx context.Context, bucket, key, etag string, limit int64) ([]byte, Info, error) {
	opts, err := getOptions(bucket, key, etag)
	if err != nil {
		return nil, Info{}, err
	}
	ctx, end := s.begin(ctx)
	defer end()
	body, info, _, err := s.core.GetObject(ctx, bucket, key, opts)
	if err != nil {
		return nil, Info{}, explain(ctx, err, "get", bucket, key)
	}
	defer body.Close()
	if info.Size > limit {
		return nil, Info{}, fmt.Errorf("get %s/%s of %d bytes: %w", bucket, key, info.Size, ErrTooLarge)
	}
	if info.Size < 0 {
		return nil, Info{}, fmt.Errorf("get %s/%s: the response has no size: %w", bucket, key, ErrUnavailable)
	}
	data := make([]byte, info.Size)
	if _, err := io.ReadFull(body, data); err != nil {
		return nil, Info{}, explain(ctx, err, "get", bucket, key)
	}
	return data, describe(bucket, info), nil
}

// Stat returns the description of an object.
func (s *Store) Stat(ctx context.Context, bucket, key string) (Info, error) {
	ctx, end := s.begin(ctx)
	defer end()
	info, err := s.core.StatObject(ctx, bucket, key, minio.StatObjectOptions{})
	if err != nil {
		return Info{}, explain(ctx, err, "stat", bucket, key)
	}
	return describe(bucket, info), nil
}

// Put writes an object. Metadata keys are in lower case. Values may have any
// characters.
func (s *Store) Put(ctx context.Context, bucket, key, contentType string, data []byte, metadata map[string]string) (Info, error) {
	return s.put(ctx, bucket, key, data, minio.PutObjectOptions{ContentType: contentType}, metadata)
}

func (s *Store) put(
	ctx context.Context, bucket, key string, data []byte, o minio.PutObjectOptions, metadata map[string]string,
) (Info, error) {
	ctx, end := s.begin(ctx)
	defer end()
	escaped := make(map[string]string, len(metadata))
	for k, v := range metadata {
		escaped[k] = url.PathEscape(v) // headers are ASCII
	}
	o.UserMetadata = escaped
	o.DisableContentSha256 = true // signs the digest below instead of each chunk
	up, err := s.core.PutObject(ctx, bucket, key, bytes.NewReader(data), int64(len(data)), "", digest(data), o)
	if err != nil {
		return Info{}, explain(ctx, err, "put", bucket, key)
	}
	return Info{
		Bucket: bucket, Key: key, ETag: up.ETag, ContentType: o.ContentType,
		Size: int64(len(data)), Modified: time.Now(), Metadata: metadata,
	}, nil
}

// digest returns the SHA-256 digest of an object in hexadecimal. The request's signature
// covers it, and the store compares it with what arrives, over HTTP and HTTPS.
func digest(data []byte) string {
	hash := sha256.New()
	for piece := range slices.Chunk(data, 1<<20) { // a Write cannot be preempted
		hash.Write(piece)
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// Remove deletes an object. It returns nil if the object does not exist.
func (s *Store) Remove(ctx context.Context, bucket, key string) error {
	ctx, end := s.begin(ctx)
	defer end()
	err := s.core.Client.RemoveObject(ctx, bucket, key, minio.RemoveObjectOptions{})
	return explain(ctx, err, "remove", bucket, key)
}

func describe(bucket string, o minio.ObjectInfo) Info {
	metadata := make(map[string]string, len(o.UserMetadata))
	for k, v := range o.UserMetadata {
		metadata[strings.ToLower(k)] = unescaped(v)
	}
	return Info{
		Bucket: bucket, Key: o.Key, ETag: o.ETag, ContentType: o.ContentType,
		Size: o.Size, Modified: o.LastModified, Metadata: metadata,
	}
}

// unescaped reverts the escaping of a metadata value by put.
func unescaped(value string) string {
	if plain, err := url.PathUnescape(value); err == nil {
		return plain
	}
	return value
}

// badNames are the error codes of S3, MinIO and versitygw for an invalid bucket name,
// an invalid key, or metadata that is too large because of a key.
var badNames = map[string]bool{
	"InvalidBucketName": true, "KeyTooLongError": true, "MetadataTooLarge": true,
	"XMinioInvalidObjectName": true, "XMinioObjectExistsAsDirectory": true, "XMinioParentIsObject": true,
	"ExistingObjectIsDirectory": true, "ObjectParentIsFile": true, "DirectoryObjectContainsData": true,
}

// explain wraps err with this package's error for it. Errors that are not a response of
// the store become ErrUnavailable.
func explain(ctx context.Context, err error, verb, bucket, key string) error {
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); errors.Is(cause, errStalled) {
		err = cause // more specific than "context canceled"
	}
	kind := ErrUnavailable
	response := minio.ToErrorResponse(err)
	switch {
	case errors.Is(err, ErrNotFound) || response.StatusCode == http.StatusNotFound:
		kind = ErrNotFound
	case response.StatusCode == http.StatusPreconditionFailed,
		response.Code == "ConditionalRequestConflict": // from S3, for concurrent conditional writes
		kind = ErrChanged
	case badNames[response.Code], s3utils.CheckValidBucketName(bucket) != nil,
		key != "" && s3utils.CheckValidObjectName(key) != nil: // minio-go itself rejects these two
		kind = ErrInvalidName
	case response.StatusCode == http.StatusForbidden, response.StatusCode == http.StatusUnauthorized:
		kind = ErrDenied
	case response.StatusCode >= 400 && response.StatusCode < 500 && response.StatusCode != http.StatusTooManyRequests:
		return fmt.Errorf("%s %s/%s: %w", verb, bucket, key, err)
	}
	return fmt.Errorf("%s %s/%s: %w: %w", verb, bucket, key, kind, err)
}
