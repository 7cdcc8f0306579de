// Package objects reads and writes objects by bucket and key in any store that
// speaks S3.
package objects

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"
)

// The ways in which a store can refuse. Their texts are for logs.
var (
	// ErrNotFound means that there is no such bucket or key.
	ErrNotFound = errors.New("no such object")
	// ErrChanged means that the object is not the version demanded.
	ErrChanged = errors.New("the object has been replaced")
	// ErrTooLarge means that the object is larger than the caller takes.
	ErrTooLarge = errors.New("the object is too large")
	// ErrInvalidName means that the store can hold no such bucket or key.
	ErrInvalidName = errors.New("no name for an object")
	// ErrUnavailable means that the store does not answer, or does not let us in.
	ErrUnavailable = errors.New("the object store is unavailable")
)

// Info is what a store knows about an object besides its content.
type Info struct {
	Bucket, Key string
	// ETag has no quotes.
	ETag        string
	ContentType string
	// Size is in bytes.
	Size     int64
	Modified time.Time
	// Metadata is the user metadata with keys in lower case.
	Metadata map[string]string
}

// Config says which store. Endpoint is host:port.
type Config struct {
	Endpoint  string
	AccessKey string
	SecretKey string
	Secure    bool
	Region    string
	// ProgressTimeout is how long a transfer may stand still before it fails as
	// unavailable; 0 means DefaultProgressTimeout.
	ProgressTimeout time.Duration
}

// Store is a client of one object store, safe for concurrent use.
type Store struct {
	core            *minio.Core
	transport       *http.Transport
	progressTimeout time.Duration
}

// New returns a client; it does not connect yet.
func New(c Config) (*Store, error) {
	transport, err := minio.DefaultTransport(c.Secure)
	if err != nil {
		return nil, err
	}
	transport.MaxIdleConnsPerHost = 64
	transport.ResponseHeaderTimeout = 0 // see progressTransport
	core, err := minio.NewCore(c.Endpoint, &minio.Options{
		Creds:        credentials.NewStaticV4(c.AccessKey, c.SecretKey, ""),
		Secure:       c.Secure,
		Region:       c.Region,
		Transport:    progressTransport{transport},
		BucketLookup: minio.BucketLookupPath,
		// Whoever sent us the work tries again; long retries here would only
		// hide from them that the store is down.
		MaxRetries: 2,
	})
	if err != nil {
		return nil, fmt.Errorf("object store %q: %w", c.Endpoint, err)
	}
	return &Store{core: core, transport: transport, progressTimeout: cmp.Or(c.ProgressTimeout, DefaultProgressTimeout)}, nil
}

// Close closes the connections that are not in use. The store can be used on.
func (s *Store) Close() { s.transport.CloseIdleConnections() }

// Get reads a whole object of at most limit bytes. With an etag it demands that
// version and fails with ErrChanged for any other.
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

// Stat returns what the store knows about an object.
func (s *Store) Stat(ctx context.Context, bucket, key string) (Info, error) {
	ctx, end := s.begin(ctx)
	defer end()
	info, err := s.core.StatObject(ctx, bucket, key, minio.StatObjectOptions{})
	if err != nil {
		return Info{}, explain(ctx, err, "stat", bucket, key)
	}
	return describe(bucket, info), nil
}

// Put writes a whole object. Metadata keys are in lower case; values may be any
// text.
func (s *Store) Put(ctx context.Context, bucket, key, contentType string, data []byte, metadata map[string]string) (Info, error) {
	return s.put(ctx, bucket, key, data, minio.PutObjectOptions{ContentType: contentType}, metadata)
}

// PutOver is a Put that succeeds only over the version with this etag, or, with
// an empty one, where there is no object yet. Else the error is ErrChanged.
func (s *Store) PutOver(
	ctx context.Context, etag, bucket, key, contentType string, data []byte, metadata map[string]string,
) (Info, error) {
	o := minio.PutObjectOptions{ContentType: contentType}
	if etag == "" {
		o.SetMatchETagExcept("*")
	} else {
		o.SetMatchETag(etag)
	}
	info, err := s.put(ctx, bucket, key, data, o, metadata)
	if etag != "" && errors.Is(err, ErrNotFound) { // some stores say so of an object that is gone
		err = fmt.Errorf("%w: %w", ErrChanged, err)
	}
	return info, err
}

func (s *Store) put(
	ctx context.Context, bucket, key string, data []byte, o minio.PutObjectOptions, metadata map[string]string,
) (Info, error) {
	ctx, end := s.begin(ctx)
	defer end()
	escaped := make(map[string]string, len(metadata))
	for k, v := range metadata {
		escaped[k] = url.PathEscape(v) // headers carry ASCII only
	}
	o.UserMetadata, o.DisableMultipart = escaped, true
	up, err := s.core.Client.PutObject(ctx, bucket, key, bytes.NewReader(data), int64(len(data)), o)
	if err != nil {
		return Info{}, explain(ctx, err, "put", bucket, key)
	}
	return Info{
		Bucket: bucket, Key: key, ETag: up.ETag, ContentType: o.ContentType,
		Size: int64(len(data)), Modified: time.Now(), Metadata: metadata,
	}, nil
}

// Remove deletes an object; a missing one is no error.
func (s *Store) Remove(ctx context.Context, bucket, key string) error {
	ctx, end := s.begin(ctx)
	defer end()
	err := s.core.Client.RemoveObject(ctx, bucket, key, minio.RemoveObjectOptions{})
	return explain(ctx, err, "remove", bucket, key)
}

// RemoveVersion deletes an object that is still of the version etag; else the error
// is ErrChanged. S3 and versitygw check that as they delete. MinIO does not: there,
// the version is the one that was looked at just before.
func (s *Store) RemoveVersion(ctx context.Context, bucket, key, etag string) error {
	if err := s.demand(ctx, bucket, key, etag); err != nil {
		return err
	}
	ctx, end := s.begin(ctx)
	defer end()
	header := http.Header{"If-Match": {`"` + etag + `"`}}
	address, err := s.core.PresignHeader(ctx, http.MethodDelete, bucket, key, time.Minute, nil, header)
	if err != nil {
		return explain(ctx, err, "remove", bucket, key)
	}
	r := (&http.Request{Method: http.MethodDelete, URL: address, Host: address.Host, Header: header}).WithContext(ctx)
	response, err := progressTransport{s.transport}.RoundTrip(r)
	if err != nil {
		return explain(ctx, err, "remove", bucket, key)
	}
	defer response.Body.Close()
	if response.StatusCode < 300 || response.StatusCode == http.StatusNotFound {
		return nil
	}
	return explain(ctx, minio.ErrorResponse{StatusCode: response.StatusCode, Code: response.Status}, "remove", bucket, key)
}

// Tags returns an object's tags.
func (s *Store) Tags(ctx context.Context, bucket, key string) (map[string]string, error) {
	ctx, end := s.begin(ctx)
	defer end()
	have, err := s.core.GetObjectTagging(ctx, bucket, key, minio.GetObjectTaggingOptions{})
	switch {
	case minio.ToErrorResponse(err).Code == "NoSuchTagSet":
		return map[string]string{}, nil
	case err != nil:
		return nil, explain(ctx, err, "tags", bucket, key)
	}
	return have.ToMap(), nil
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

// unescaped returns a metadata value as it was before put escaped it.
func unescaped(value string) string {
	if plain, err := url.PathUnescape(value); err == nil {
		return plain
	}
	return value
}

// badNames are the codes with which stores (S3 itself, MinIO, versitygw) refuse
// a bucket, a key, or metadata that holds a key.
var badNames = map[string]bool{
	"InvalidBucketName": true, "KeyTooLongError": true, "MetadataTooLarge": true,
	"XMinioInvalidObjectName": true, "XMinioObjectExistsAsDirectory": true, "XMinioParentIsObject": true,
	"ExistingObjectIsDirectory": true, "ObjectParentIsFile": true, "DirectoryObjectContainsData": true,
}

// explain puts one of this package's errors into err's chain. What is not an
// answer of the store is the lack of one.
func explain(ctx context.Context, err error, verb, bucket, key string) error {
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); errors.Is(cause, errStalled) {
		err = cause // of the end of ctx
	}
	kind := ErrUnavailable
	answer := minio.ToErrorResponse(err)
	switch {
	case errors.Is(err, ErrNotFound) || answer.StatusCode == http.StatusNotFound:
		kind = ErrNotFound
	case answer.StatusCode == http.StatusPreconditionFailed,
		answer.Code == "ConditionalRequestConflict": // S3 itself, of writes at the same time
		kind = ErrChanged
	case badNames[answer.Code], s3utils.CheckValidBucketName(bucket) != nil,
		key != "" && s3utils.CheckValidObjectName(key) != nil: // the last two minio-go refuses by itself
		kind = ErrInvalidName
	case answer.StatusCode >= 400 && answer.StatusCode < 500 && answer.StatusCode != http.StatusForbidden &&
		answer.StatusCode != http.StatusUnauthorized && answer.StatusCode != http.StatusTooManyRequests:
		return fmt.Errorf("%s %s/%s: %w", verb, bucket, key, err)
	}
	return fmt.Errorf("%s %s/%s: %w: %w", verb, bucket, key, kind, err)
}
