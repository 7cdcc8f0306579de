package s3server

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/textproto"
	"net/url"
	"strings"
	"time"
)

// facts of a new object.
type facts struct {
	size              int64
	etag, contentType string
	metadata          map[string]string
}

// caller is who made a request.
type caller struct{ account, ip, userAgent, endpoint string }

// callerOf reads the request that versitygw's contexts carry: they are those of
// fasthttp.
func callerOf(ctx context.Context, address, account string) caller {
	c := caller{account: account, endpoint: "http://" + address}
	if r, ok := ctx.(interface{ RemoteIP() net.IP }); ok {
		c.ip = r.RemoteIP().String()
	}
	if r, ok := ctx.(interface{ UserAgent() []byte }); ok {
		c.userAgent = string(r.UserAgent())
	}
	return c
}

type object map[string]any

// notification makes the text that MinIO would post, field by field as captured
// from it.
func notification(c caller, how, bucket, key string, f facts) []byte {
	now := time.Now().UTC()
	event := "s3:ObjectCreated:" + how
	principal := object{"principalId": c.account}
	record := object{
		"eventVersion":      "2.0",
		"eventSource":       "minio:s3",
		"awsRegion":         "",
		"eventTime":         now.Format("2006-01-02T15:04:05.000Z"),
		"eventName":         event,
		"userIdentity":      principal,
		"requestParameters": object{"principalId": c.account, "region": "", "sourceIPAddress": c.ip},
		"responseElements":  object{"x-amz-request-id": nanoseconds(now), "x-minio-origin-endpoint": c.endpoint},
		"s3": object{
			"s3SchemaVersion": "1.0",
			"configurationId": "Config",
			"bucket":          object{"name": bucket, "ownerIdentity": principal, "arn": "arn:aws:s3:::" + bucket},
			"object":          describe(key, f, now),
		},
		"source": object{"host": c.ip, "port": "", "userAgent": c.userAgent},
	}
	text, err := json.Marshal(object{"EventName": event, "Key": bucket + "/" + key, "Records": []object{record}})
	if err != nil {
		panic(err) // strings and numbers only
	}
	return text
}

func describe(key string, f facts, now time.Time) object {
	metadata := map[string]string{"content-type": f.contentType}
	for k, v := range f.metadata {
		metadata[textproto.CanonicalMIMEHeaderKey("X-Amz-Meta-"+k)] = v
	}
	return object{
		"key":          url.QueryEscape(key),
		"size":         f.size,
		"eTag":         strings.Trim(f.etag, `"`),
		"contentType":  f.contentType,
		"userMetadata": metadata,
		"sequencer":    nanoseconds(now),
	}
}

// nanoseconds writes a time so that the order of the texts is that of the times.
func nanoseconds(t time.Time) string { return fmt.Sprintf("%016X", t.UnixNano()) }
