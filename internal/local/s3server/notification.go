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

// objectInfo describes a new object.
type objectInfo struct {
	size              int64 // bytes
	etag, contentType string
	metadata          map[string]string
}

// caller describes the client that made a request.
type caller struct{ account, ip, userAgent, endpoint string }

// callerOf returns the client of a request. versitygw's contexts are fasthttp
// request contexts.
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

// notification returns the JSON that MinIO would post for a new object. It has the fields
// of a captured MinIO notification.
func notification(c caller, how, bucket, key string, o objectInfo) []byte {
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
			"object":          describe(key, o, now),
		},
		"source": object{"host": c.ip, "port": "", "userAgent": c.userAgent},
	}
	text, err := json.Marshal(object{"EventName": event, "Key": bucket + "/" + key, "Records": []object{record}})
	if err != nil {
		panic(err) // impossible: the value has only strings and numbers
	}
	return text
}

func describe(key string, o objectInfo, now time.Time) object {
	metadata := map[string]string{"content-type": o.contentType}
	for k, v := range o.metadata {
		metadata[textproto.CanonicalMIMEHeaderKey("X-Amz-Meta-"+k)] = v
	}
	return object{
		"key":          url.QueryEscape(key),
		"size":         o.size,
		"eTag":         strings.Trim(o.etag, `"`),
		"contentType":  o.contentType,
		"userMetadata": metadata,
		"sequencer":    nanoseconds(now),
	}
}

// nanoseconds formats a time as a hexadecimal string of fixed width, so that the
// strings sort as the times do.
func nanoseconds(t time.Time) string { return fmt.Sprintf("%016X", t.UnixNano()) }
