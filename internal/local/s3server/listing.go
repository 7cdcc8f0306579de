package s3server

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/s3response"
)

// ListObjectsV2 lists the exact keys. versitygw ignores encoding-type, which clients
// request because XML cannot hold every character of a key, and would list a
// different key. A page with such a key is always sent URL-encoded.
func (c consistent) ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input) (s3response.ListObjectsV2Result, error) {
	out, err := c.Backend.ListObjectsV2(ctx, in)
	if err != nil || !slices.ContainsFunc(out.Contents, func(o s3response.Object) bool { return !fitsXML(aws.ToString(o.Key)) }) {
		return out, err
	}
	out.EncodingType = types.EncodingTypeUrl
	out.Prefix, out.Delimiter, out.StartAfter = escaped(out.Prefix), escaped(out.Delimiter), escaped(out.StartAfter)
	for i := range out.Contents {
		out.Contents[i].Key = escaped(out.Contents[i].Key)
	}
	for i := range out.CommonPrefixes {
		out.CommonPrefixes[i].Prefix = escaped(out.CommonPrefixes[i].Prefix)
	}
	return out, nil
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
	e := strings.ReplaceAll(url.PathEscape(*text), "+", "%2B")
	return &e
}
