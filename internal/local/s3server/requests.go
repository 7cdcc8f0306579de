package s3server

import (
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v3"
	"github.com/versity/versitygw/s3api/controllers"
	"github.com/versity/versitygw/s3err"
)

// requireV4 refuses requests with signature version 2 by name. versitygw's errors about them are about dates.
var requireV4 = controllers.WrapMiddleware(func(ctx fiber.Ctx) error {
	if strings.HasPrefix(ctx.Get("Authorization"), "AWS ") || ctx.Query("AWSAccessKeyId") != "" {
		return s3err.GetAPIError(s3err.ErrUnsupportedAuthorizationMechanism)
	}
	return nil
}, nil, nil)

// errFilename refuses a form whose key has the variable, which versitygw would store as it is: it does not
// report the name of the file.
var errFilename = s3err.APIError{
	Code:           "NotImplemented",
	Description:    "local mode does not replace ${filename} in the key of a form: put the file's name into the field key",
	HTTPStatusCode: http.StatusNotImplemented,
}
