package s3server

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/valyala/fasthttp"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3response"
)

// ListObjectsV2 lists the exact keys. versitygw ignores encoding-type, which clients request because XML cannot hold
// every character of a key: it would list a different key, and some clients decode an answer that is not encoded. A page
// with a key that XML cannot hold is always sent URL-encoded.
func (c consistent) ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input) (s3response.ListObjectsV2Result, error) {
	after, err := keyOf(in.ContinuationToken)
	if err != nil {
		return s3response.ListObjectsV2Result{}, err
	}
	asked := *in
	asked.ContinuationToken = after
	out, isFew, err := c.listFew(&asked)
	if !isFew {
		out, err = c.Backend.ListObjectsV2(ctx, &asked)
	}
	out.ContinuationToken, out.NextContinuationToken = in.ContinuationToken, tokenOf(out.NextContinuationToken)
	if err != nil || !asksURL(ctx) && fitXML(out.Contents, out.CommonPrefixes) {
		return out, err
	}
	out.EncodingType = types.EncodingTypeUrl
	out.Prefix, out.Delimiter, out.StartAfter = escaped(out.Prefix), escaped(out.Delimiter), escaped(out.StartAfter)
	escapeKeys(out.Contents, out.CommonPrefixes)
	return out, nil
}

// ListObjects lists the exact keys, as ListObjectsV2 does.
func (c consistent) ListObjects(ctx context.Context, in *s3.ListObjectsInput) (s3response.ListObjectsResult, error) {
	out, err := c.Backend.ListObjects(ctx, in)
	if err != nil || !asksURL(ctx) && fitXML(out.Contents, out.CommonPrefixes) {
		return out, err
	}
	out.EncodingType = types.EncodingTypeUrl
	out.Prefix, out.Delimiter = escaped(out.Prefix), escaped(out.Delimiter)
	out.Marker, out.NextMarker = escaped(out.Marker), escaped(out.NextMarker)
	escapeKeys(out.Contents, out.CommonPrefixes)
	return out, nil
}

// ListObjectVersions lists the exact keys, as ListObjectsV2 does. The server keeps one version of an object, so the versions are
// the objects. versitygw's own listing of versions begins a page with the last key of the page before.
func (c consistent) ListObjectVersions(ctx context.Context, in *s3.ListObjectVersionsInput) (
	s3response.ListVersionsResult, error,
) {
	objects, err := c.ListObjects(ctx, &s3.ListObjectsInput{
		Bucket: in.Bucket, Prefix: in.Prefix, Delimiter: in.Delimiter, Marker: in.KeyMarker, MaxKeys: in.MaxKeys,
	})
	if err != nil {
		return s3response.ListVersionsResult{}, err
	}
	out := s3response.ListVersionsResult{
		Name: objects.Name, Prefix: objects.Prefix, Delimiter: objects.Delimiter, EncodingType: objects.EncodingType,
		KeyMarker: objects.Marker, VersionIdMarker: in.VersionIdMarker, NextKeyMarker: objects.NextMarker,
		MaxKeys: objects.MaxKeys, IsTruncated: objects.IsTruncated, CommonPrefixes: objects.CommonPrefixes,
	}
	if aws.ToString(out.NextKeyMarker) != "" {
		out.NextVersionIdMarker = aws.String(onlyVersion)
	}
	for _, o := range objects.Contents {
		out.Versions = append(out.Versions, s3response.ObjectVersion{
			Key: o.Key, VersionId: aws.String(onlyVersion), IsLatest: aws.Bool(true), ETag: o.ETag, Size: o.Size,
			LastModified: o.LastModified, Owner: o.Owner, StorageClass: types.ObjectVersionStorageClassStandard,
			ChecksumAlgorithm: o.ChecksumAlgorithm, ChecksumType: o.ChecksumType,
		})
	}
	return out, nil
}

// asksURL reports whether the request asks for URL-encoded keys.
func asksURL(ctx context.Context) bool {
	from, ok := ctx.(*fasthttp.RequestCtx)
	return ok && string(from.QueryArgs().Peek("encoding-type")) == string(types.EncodingTypeUrl)
}

func escapeKeys(contents []s3response.Object, prefixes []types.CommonPrefix) {
	for i := range contents {
		contents[i].Key = escaped(contents[i].Key)
	}
	for i := range prefixes {
		prefixes[i].Prefix = escaped(prefixes[i].Prefix)
	}
}

// fitXML reports whether XML can represent the keys and the common prefixes.
func fitXML(contents []s3response.Object, prefixes []types.CommonPrefix) bool {
	isWrong := func(o s3response.Object) bool { return !fitsXML(aws.ToString(o.Key)) }
	isWrongPrefix := func(p types.CommonPrefix) bool { return !fitsXML(aws.ToString(p.Prefix)) }
	return !slices.ContainsFunc(contents, isWrong) && !slices.ContainsFunc(prefixes, isWrongPrefix)
}

// fitsXML reports whether XML can represent a text.
func fitsXML(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffd || r == 0xfffe || r == 0xffff
	})
}

func escaped(text *string) *string {
	if text == nil {
		return nil
	}
	return aws.String(escapedText(*text))
}

func escapedText(text string) string { return strings.ReplaceAll(url.PathEscape(text), "+", "%2B") }

// listFew lists the objects in a folder whose names begin with a text, if they fit in one page and none is a
// folder. versitygw sorts the whole folder, and looks up every file before those. It returns false for other
// listings.
func (c consistent) listFew(in *s3.ListObjectsV2Input) (out s3response.ListObjectsV2Result, isFew bool, err error) {
	bucket, prefix := aws.ToString(in.Bucket), aws.ToString(in.Prefix)
	folder, start := prefix[:strings.LastIndexByte(prefix, '/')+1], prefix[strings.LastIndexByte(prefix, '/')+1:]
	isWhole := aws.ToString(in.ContinuationToken)+aws.ToString(in.StartAfter)+aws.ToString(in.Delimiter) == ""
	if c.posix == nil || start == "" || !isWhole || !filepath.IsLocal(bucket+"/"+folder) {
		return out, false, nil
	}
	names, err := namesWith(bucket+"/"+folder, start, int(aws.ToInt32(in.MaxKeys)))
	if err != nil {
		return out, false, nil // versitygw has the right error
	}
	describe := c.posix.FileToObj(bucket, aws.ToBool(in.FetchOwner))
	for _, name := range names {
		info, err := os.Lstat(bucket + "/" + folder + name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil || info.IsDir() || name == posix.MetaTmpDir {
			return out, false, nil
		}
		object, err := describe(folder+name, fs.FileInfoToDirEntry(info))
		if errors.Is(err, backend.ErrSkipObj) {
			continue
		}
		if err != nil {
			return out, false, err
		}
		out.Contents = append(out.Contents, object)
	}
	out.Name, out.Prefix, out.StartAfter, out.MaxKeys = in.Bucket, in.Prefix, aws.String(""), in.MaxKeys
	out.KeyCount, out.IsTruncated = aws.Int32(int32(len(out.Contents))), aws.Bool(false)
	return out, true, nil
}

// errMany means that more names were found than fit in a page.
var errMany = errors.New("too many names")

// namesWith returns the sorted names in a folder that begin with a text, if they are at most limit.
func namesWith(folder, start string, limit int) (found []string, err error) {
	f, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for {
		names, err := f.Readdirnames(1024)
		for _, name := range names {
			if strings.HasPrefix(name, start) {
				found = append(found, name)
			}
		}
		switch {
		case len(found) > limit:
			return nil, errMany
		case errors.Is(err, io.EOF):
			slices.Sort(found)
			return found, nil
		case err != nil:
			return nil, err
		}
	}
}
