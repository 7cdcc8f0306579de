package s3server

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/s3response"
)

// ListMultipartUploads lists the exact keys, as ListObjectsV2 does, and pages itself: versitygw refuses the upload that its own
// page before ended with. It collects all uploads of the bucket for every page in any case.
func (c consistent) ListMultipartUploads(ctx context.Context, in *s3.ListMultipartUploadsInput) (
	s3response.ListMultipartUploadsResult, error,
) {
	out, err := c.Backend.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{
		Bucket: in.Bucket, Prefix: in.Prefix, MaxUploads: aws.Int32(math.MaxInt32),
	})
	if err != nil {
		return out, err
	}
	uploads := out.Uploads
	out.Uploads, out.Delimiter, out.MaxUploads = nil, aws.ToString(in.Delimiter), int(aws.ToInt32(in.MaxUploads))
	out.KeyMarker, out.UploadIDMarker = aws.ToString(in.KeyMarker), aws.ToString(in.UploadIdMarker)
	fillPage(&out, uploads)
	if asksURL(ctx) || !uploadsFitXML(out) {
		escapeUploads(&out)
	}
	return out, nil
}

// fillPage adds the uploads and the common prefixes that a page has after its markers. Uploads of one key are in the order of
// their IDs, because S3 compares the marker with IDs: so a page can follow an upload that has ended since. The time that
// versitygw gives for an upload is no order, since it changes with each part.
func fillPage(page *s3response.ListMultipartUploadsResult, uploads []s3response.Upload) {
	slices.SortFunc(uploads, func(a, b s3response.Upload) int {
		return cmp.Or(strings.Compare(a.Key, b.Key), strings.Compare(a.UploadID, b.UploadID))
	})
	var lastKey, lastID string // of the page so far, a common prefix for a key
	for _, u := range uploads {
		folder := commonPrefix(u.Key, page.Prefix, page.Delimiter)
		isListed := folder != "" && (folder == page.KeyMarker || folder == lastKey)
		if isListed || !isAfter(u, page.KeyMarker, page.UploadIDMarker) {
			continue
		}
		if len(page.Uploads)+len(page.CommonPrefixes) == page.MaxUploads {
			page.IsTruncated = page.MaxUploads > 0
			page.NextKeyMarker, page.NextUploadIDMarker = lastKey, lastID
			return
		}
		if folder != "" {
			lastKey, lastID = folder, ""
			page.CommonPrefixes = append(page.CommonPrefixes, s3response.CommonPrefix{Prefix: folder})
			continue
		}
		lastKey, lastID = u.Key, u.UploadID
		page.Uploads = append(page.Uploads, u)
	}
}

// isAfter reports whether an upload comes after the markers. Without a marker of an upload, none of the marker's key does.
func isAfter(u s3response.Upload, keyMarker, idMarker string) bool {
	return u.Key > keyMarker || u.Key == keyMarker && idMarker != "" && u.UploadID > idMarker
}

// commonPrefix returns what a listing has for a key with a delimiter after the prefix, or "" for other keys.
func commonPrefix(key, prefix, delimiter string) string {
	name, _, isFolder := strings.Cut(strings.TrimPrefix(key, prefix), delimiter)
	if delimiter == "" || !isFolder {
		return ""
	}
	return prefix + name + delimiter
}

// uploadsFitXML is fitXML for multipart uploads.
func uploadsFitXML(listed s3response.ListMultipartUploadsResult) bool {
	isWrong := func(u s3response.Upload) bool { return !fitsXML(u.Key) }
	isWrongPrefix := func(p s3response.CommonPrefix) bool { return !fitsXML(p.Prefix) }
	return !slices.ContainsFunc(listed.Uploads, isWrong) && !slices.ContainsFunc(listed.CommonPrefixes, isWrongPrefix)
}

func escapeUploads(listed *s3response.ListMultipartUploadsResult) {
	listed.EncodingType = string(types.EncodingTypeUrl)
	listed.Prefix, listed.Delimiter = escapedText(listed.Prefix), escapedText(listed.Delimiter)
	listed.KeyMarker, listed.NextKeyMarker = escapedText(listed.KeyMarker), escapedText(listed.NextKeyMarker)
	for i := range listed.Uploads {
		listed.Uploads[i].Key = escapedText(listed.Uploads[i].Key)
	}
	for i := range listed.CommonPrefixes {
		listed.CommonPrefixes[i].Prefix = escapedText(listed.CommonPrefixes[i].Prefix)
	}
}
