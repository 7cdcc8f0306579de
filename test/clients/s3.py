#!/usr/bin/env python3
"""S3 clients for Python and the command line at local mode's S3 server: boto3, minio-py, aws, rclone, s3cmd and curl."""

import datetime
import os
import subprocess
import tempfile
import urllib.parse

import boto3
import botocore.config
import minio
import requests
from matrix import attempt, image

URL, BUCKET = os.environ["S3_URL"], os.environ["BUCKET"]
USER, SECRET = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
HOST = URL.removeprefix("http://")
WORK = tempfile.mkdtemp()
CONTENT = image()
BIG = os.path.join(WORK, "big.bin")
with open(BIG, "wb") as file:
    file.write(os.urandom(17 << 20))

# Keys that need escaping in a URL, a header, a form or XML.
KEYS = ["plain.jpg", "with space/ü+é&=%2F.jpg", "100%/a+b=c&d?e#f.jpg", "日本/猫.png", "new\nline.jpg", "tab\t.jpg", "\x01.jpg"]


# rclone refuses a bundle of certificates, which plain HTTP does not need.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "AWS_CA_BUNDLE"}


def boto(signature="s3v4", region="us-east-1"):
    config = botocore.config.Config(signature_version=signature, retries={"max_attempts": 1}, read_timeout=30)
    return boto3.client("s3", endpoint_url=URL, region_name=region, config=config)


def command(*arguments, timeout=60, env=None):
    """Runs a command, and returns what it printed, or raises its last lines."""
    done = subprocess.run(
        arguments, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL, env={**ENVIRONMENT, **(env or {})}
    )
    if done.returncode != 0:
        raise RuntimeError(f"status {done.returncode}: " + (done.stderr + done.stdout)[-250:])
    return done.stdout


def equal(got, want):
    if got != want:
        raise AssertionError(f"got {got!r:.120}, want {want!r:.120}")


def local(name, content=CONTENT):
    path = os.path.join(WORK, name)
    with open(path, "wb") as file:
        file.write(content)
    return path


# boto3


def boto_existing():
    try:
        boto().create_bucket(Bucket=BUCKET)
    except boto().exceptions.BucketAlreadyOwnedByYou:
        return "409 BucketAlreadyOwnedByYou"


def boto_keys():
    s3 = boto()
    for key in KEYS:
        s3.put_object(Bucket=BUCKET, Key="boto/" + key, Body=CONTENT)
        equal(s3.get_object(Bucket=BUCKET, Key="boto/" + key)["Body"].read(), CONTENT)


def boto_list(operation):
    s3 = boto()
    options = {"Bucket": BUCKET, "Prefix": "boto/", "PaginationConfig": {"PageSize": 3}}
    found = [o["Key"] for page in s3.get_paginator(operation).paginate(**options) for o in page.get("Contents", [])]
    equal(sorted(k for k in found if k in {"boto/" + k for k in KEYS}), sorted("boto/" + k for k in KEYS))


def boto_multipart():
    s3 = boto()
    s3.upload_file(BIG, BUCKET, "boto-big/big.bin")
    equal(s3.head_object(Bucket=BUCKET, Key="boto-big/big.bin")["ContentLength"], 17 << 20)


def boto_copy_delete():
    s3 = boto()
    s3.copy_object(Bucket=BUCKET, Key="boto/copy.jpg", CopySource={"Bucket": BUCKET, "Key": "boto/" + KEYS[1]})
    equal(s3.get_object(Bucket=BUCKET, Key="boto/copy.jpg")["Body"].read(), CONTENT)
    answer = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "boto/copy.jpg"}, {"Key": "boto/none"}]})
    equal(len(answer["Deleted"]), 2)


def boto_presigned():
    s3 = boto()
    put = s3.generate_presigned_url("put_object", Params={"Bucket": BUCKET, "Key": "boto/signed.jpg"})
    equal(requests.put(put, data=CONTENT, timeout=30).status_code, 200)
    get = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "boto/signed.jpg"})
    equal(requests.get(get, timeout=30).content, CONTENT)


def filename_refused(answer):
    if answer.status_code != 501 or "${filename}" not in answer.text:
        raise AssertionError(f"{answer.status_code}: {answer.text}")
    return "501: local mode names the field key instead"


def boto_post():
    form = boto().generate_presigned_post(BUCKET, "boto-post/form.jpg")
    answer = requests.post(form["url"], data=form["fields"], files={"file": ("my cat.jpg", CONTENT)}, timeout=30)
    equal(answer.status_code, 204)
    equal(boto().get_object(Bucket=BUCKET, Key="boto-post/form.jpg")["Body"].read(), CONTENT)


def boto_filename():
    form = boto().generate_presigned_post(BUCKET, "boto-post/${filename}")
    return filename_refused(
        requests.post(form["url"], data=form["fields"], files={"file": ("my cat.jpg", CONTENT)}, timeout=30)
    )


def boto_uploads():
    s3, keys = boto(), ["boto-parts/a.jpg", "boto-parts/a.jpg", "boto-parts/ü/b c.jpg"]
    begun = sorted((key, s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]) for key in keys)
    options = {"Bucket": BUCKET, "Prefix": "boto-parts/", "PaginationConfig": {"PageSize": 1}}
    pages = list(s3.get_paginator("list_multipart_uploads").paginate(**options))
    equal([(u["Key"], u["UploadId"]) for page in pages for u in page["Uploads"]], begun)
    for key, upload in begun:
        s3.abort_multipart_upload(Bucket=BUCKET, Key=key, UploadId=upload)


def boto_versions():
    s3 = boto()
    for version in s3.list_object_versions(Bucket=BUCKET, Prefix="boto/plain.jpg")["Versions"]:
        answer = s3.get_object(Bucket=BUCKET, Key=version["Key"], VersionId=version["VersionId"])
        equal(answer["Body"].read(), CONTENT)


def boto_region():
    s3 = boto(region="moon-1")
    equal(BUCKET in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]], True)
    url = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "boto/plain.jpg"})
    equal(requests.get(url, timeout=30).content, CONTENT)


def refused(call, *words):
    """Calls what the server must refuse as a client's mistake with a message that has the words."""
    try:
        call()
    except Exception as error:
        response = getattr(error, "response", {})
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        text = str(error)
        if 400 <= status < 500 and all(word in text for word in words):
            return text.split(": ", 1)[-1][:120]
        raise AssertionError(f"{status}: {text}") from error
    raise AssertionError("accepted")


def boto_v2():
    return refused(lambda: boto("s3").list_objects_v2(Bucket=BUCKET), "AWS4-HMAC-SHA256")


def boto_v2_url():
    url = boto("s3").generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "boto/plain.jpg"})
    answer = requests.get(url, timeout=30)
    if not 400 <= answer.status_code < 500 or "AWS4-HMAC-SHA256" not in answer.text:
        raise AssertionError(f"{answer.status_code}: {answer.text}")


def stored_or_refused(key):
    try:
        boto().put_object(Bucket=BUCKET, Key=key, Body=CONTENT)
    except Exception:
        return "refused: " + refused(lambda: boto().put_object(Bucket=BUCKET, Key=key, Body=CONTENT))
    equal(boto().get_object(Bucket=BUCKET, Key=key)["Body"].read(), CONTENT)
    found = boto().list_objects_v2(Bucket=BUCKET, Prefix=key).get("Contents", [])
    equal([o["Key"] for o in found], [key])
    return "stored"


attempt("boto3", "CreateBucket on an own bucket", boto_existing)
attempt("boto3", "put and get keys with spaces, signs, control characters", boto_keys)
attempt("boto3", "ListObjectsV2 with encoding-type=url, in pages", boto_list, "list_objects_v2")
attempt("boto3", "ListObjects (V1) with encoding-type=url, in pages", boto_list, "list_objects")
attempt("boto3", "multipart upload", boto_multipart)
attempt("boto3", "copy, delete several", boto_copy_delete)
attempt("boto3", "presigned put and get", boto_presigned)
attempt("boto3", "POST policy", boto_post)
attempt("boto3", "POST policy with ${filename} is refused by name", boto_filename)
attempt("boto3", "ListMultipartUploads in pages", boto_uploads)
attempt("boto3", "ListObjectVersions, and a get of each version", boto_versions)
attempt("boto3", "another region: ListBuckets and a presigned get", boto_region)
attempt("boto3", "signature version 2 is refused by name", boto_v2)
attempt("boto3", "a URL of signature version 2 is refused by name", boto_v2_url)
attempt("boto3", "a key with // is stored or refused", stored_or_refused, "boto//double.jpg")
attempt("boto3", "a name of 300 bytes is stored or refused", stored_or_refused, "boto/" + "n" * 300)
attempt("boto3", "a key of 1024 bytes is stored or refused", stored_or_refused, "/".join(["d" * 204] * 5))
attempt("boto3", "a key with .. is stored or refused", stored_or_refused, "boto/../up.jpg")

# minio-py


def client():
    return minio.Minio(HOST, access_key=USER, secret_key=SECRET, secure=False)


def minio_existing():
    try:
        client().make_bucket(BUCKET)
    except minio.error.S3Error as error:
        equal(error.code, "BucketAlreadyOwnedByYou")
        return error.code


def minio_keys():
    for key in KEYS[:4]:
        client().fput_object(BUCKET, "minio-py/" + key, local("minio.jpg"))
        with client().get_object(BUCKET, "minio-py/" + key) as answer:
            equal(answer.read(), CONTENT)
    found = {o.object_name for o in client().list_objects(BUCKET, "minio-py/", recursive=True)}
    equal({"minio-py/" + k for k in KEYS[:4]} - found, set())


def minio_multipart():
    client().fput_object(BUCKET, "minio-py-big/big.bin", BIG, part_size=5 << 20)
    equal(client().stat_object(BUCKET, "minio-py-big/big.bin").size, 17 << 20)


def minio_post():
    policy = minio.datatypes.PostPolicy(BUCKET, datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=5))
    policy.add_starts_with_condition("key", "minio-post/")
    fields = client().presigned_post_policy(policy)
    fields["key"] = "minio-post/a.jpg"
    answer = requests.post(f"{URL}/{BUCKET}", data=fields, files={"file": ("a.jpg", CONTENT)}, timeout=30)
    equal(answer.status_code, 204)
    client().stat_object(BUCKET, "minio-post/a.jpg")


def minio_tags():
    tags = minio.commonconfig.Tags.new_object_tags()
    tags["a"] = "1"
    client().set_object_tags(BUCKET, "minio-py/plain.jpg", tags)
    equal(dict(client().get_object_tags(BUCKET, "minio-py/plain.jpg"))["a"], "1")


attempt("minio-py", "make_bucket on an own bucket", minio_existing)
attempt("minio-py", "put, get and list keys with spaces and signs", minio_keys)
attempt("minio-py", "multipart upload", minio_multipart)
attempt("minio-py", "POST policy with starts-with", minio_post)
attempt("minio-py", "tags", minio_tags)

# aws


def aws(*arguments):
    return command("python3", "-m", "awscli", "--endpoint-url", URL, *arguments)


def aws_existing():
    try:
        aws("s3", "mb", f"s3://{BUCKET}")
    except RuntimeError as error:
        if "BucketAlreadyOwnedByYou" not in str(error):
            raise
        return "409 BucketAlreadyOwnedByYou"


def aws_copy():
    aws("s3", "cp", local("aws.jpg"), f"s3://{BUCKET}/aws/ü b+c.jpg")
    aws("s3", "cp", f"s3://{BUCKET}/aws/ü b+c.jpg", os.path.join(WORK, "back.jpg"))
    with open(os.path.join(WORK, "back.jpg"), "rb") as file:
        equal(file.read(), CONTENT)
    if "ü b+c.jpg" not in aws("s3", "ls", f"s3://{BUCKET}/aws/"):
        raise AssertionError("not listed")


def aws_sync():
    folder = os.path.join(WORK, "sync")
    os.makedirs(folder + "/deep", exist_ok=True)
    for name in ("a.txt", "deep/b c.txt"):
        local("sync/" + name, name.encode())
        os.utime(os.path.join(folder, name), (0, 0))  # aws sends a file again if it is newer than the object, whose time has no fractions
    aws("s3", "sync", folder, f"s3://{BUCKET}/aws-sync")
    equal(aws("s3", "sync", folder, f"s3://{BUCKET}/aws-sync"), "")


def aws_big():
    aws("s3", "cp", "--no-progress", BIG, f"s3://{BUCKET}/aws-big/big.bin")
    aws("s3", "rm", f"s3://{BUCKET}/aws-big/big.bin")


attempt("aws", "s3 mb on an own bucket", aws_existing)
attempt("aws", "s3 cp there and back, s3 ls", aws_copy)
attempt("aws", "s3 sync, twice", aws_sync)
attempt("aws", "s3 cp of 17 MB in parts, s3 rm", aws_big)

# rclone

RCLONE = {"RCLONE_CONFIG_LOCAL_TYPE": "s3", "RCLONE_CONFIG_LOCAL_PROVIDER": "Other", "RCLONE_CONFIG_LOCAL_ENDPOINT": URL,
          "RCLONE_CONFIG_LOCAL_ACCESS_KEY_ID": USER, "RCLONE_CONFIG_LOCAL_SECRET_ACCESS_KEY": SECRET,
          "RCLONE_CONFIG": os.devnull, "RCLONE_CONFIG_LOCAL_REGION": "us-east-1"}


def rclone(*arguments):
    return command("rclone", "--low-level-retries", "1", "--retries", "1", *arguments, env=RCLONE)


def rclone_copy():
    rclone("copyto", local("rclone.jpg"), f"local:{BUCKET}/rclone/ü b+c.jpg")
    equal(rclone("lsf", f"local:{BUCKET}/rclone").splitlines()[0], "ü b+c.jpg")
    rclone("copyto", f"local:{BUCKET}/rclone/ü b+c.jpg", os.path.join(WORK, "rclone-back.jpg"))
    with open(os.path.join(WORK, "rclone-back.jpg"), "rb") as file:
        equal(file.read(), CONTENT)


def rclone_sync():
    rclone("sync", os.path.join(WORK, "sync"), f"local:{BUCKET}/rclone-sync")
    rclone("check", os.path.join(WORK, "sync"), f"local:{BUCKET}/rclone-sync")


def rclone_big():
    rclone("copyto", "--s3-upload-cutoff", "5M", "--s3-chunk-size", "5M", BIG, f"local:{BUCKET}/rclone-big/big.bin")
    rclone("purge", f"local:{BUCKET}/rclone-big")


attempt("rclone", "copyto into an own bucket and back, lsf", rclone_copy)
attempt("rclone", "sync and check of a folder", rclone_sync)
attempt("rclone", "multipart upload, purge", rclone_big)

# s3cmd


def s3cmd(*arguments):
    return command("s3cmd", "--config", os.devnull, f"--access_key={USER}", f"--secret_key={SECRET}", "--no-ssl",
                   f"--host={HOST}", f"--host-bucket={HOST}", "--max-retries=1", *arguments)


def s3cmd_existing():
    try:
        s3cmd("mb", f"s3://{BUCKET}")
    except RuntimeError as error:
        if "BucketAlreadyOwnedByYou" not in str(error) and "409" not in str(error):
            raise
    return "409"


def s3cmd_copy():
    s3cmd("put", local("s3cmd.jpg"), f"s3://{BUCKET}/s3cmd/ü b+c.jpg")
    s3cmd("get", "--force", f"s3://{BUCKET}/s3cmd/ü b+c.jpg", os.path.join(WORK, "s3cmd-back.jpg"))
    with open(os.path.join(WORK, "s3cmd-back.jpg"), "rb") as file:
        equal(file.read(), CONTENT)
    if "ü b+c.jpg" not in s3cmd("ls", f"s3://{BUCKET}/s3cmd/"):
        raise AssertionError("not listed")


def s3cmd_big():
    s3cmd("put", "--multipart-chunk-size-mb=5", BIG, f"s3://{BUCKET}/s3cmd-big/big.bin")
    s3cmd("del", "--recursive", "--force", f"s3://{BUCKET}/s3cmd-big/")


def s3cmd_v2():
    s3cmd("--signature-v2", "ls", f"s3://{BUCKET}")
    return "s3cmd repeats it with version 4, as the answer says"


attempt("s3cmd", "mb on an own bucket", s3cmd_existing)
attempt("s3cmd", "put, get, ls", s3cmd_copy)
attempt("s3cmd", "multipart upload, del --recursive", s3cmd_big)
attempt("s3cmd", "ls with --signature-v2", s3cmd_v2)

# curl


def curl_upload():
    key = urllib.parse.quote("curl/ü b.jpg")
    command("curl", "-sSf", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user", f"{USER}:{SECRET}", "-H",
            "x-amz-content-sha256: UNSIGNED-PAYLOAD", "-T", local("curl.jpg"), f"{URL}/{BUCKET}/{key}")
    equal(boto().get_object(Bucket=BUCKET, Key="curl/ü b.jpg")["Body"].read(), CONTENT)


attempt("curl", "upload with --aws-sigv4", curl_upload)
