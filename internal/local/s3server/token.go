package s3server

import (
	"encoding/base64"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/versity/versitygw/s3err"
)

// errToken refuses a continuation token that no listing has returned, with the code and the text of S3.
var errToken = s3err.APIError{
	Code: "InvalidArgument", Description: "The continuation token provided is incorrect", HTTPStatusCode: http.StatusBadRequest,
}

// tokenOf returns the continuation token for the pages after a key, which is nil after the last page. versitygw takes the
// key itself, which XML may be unable to hold, and which encoding-type does not apply to.
func tokenOf(key *string) *string {
	if key == nil {
		return nil
	}
	return aws.String(base64.RawURLEncoding.EncodeToString([]byte(*key)))
}

// keyOf returns the key of a continuation token, which may be nil or empty.
func keyOf(token *string) (*string, error) {
	if token == nil {
		return nil, nil
	}
	key, err := base64.RawURLEncoding.DecodeString(*token)
	if err != nil {
		return nil, errToken
	}
	return aws.String(string(key)), nil
}
