"""Scoring of streams: as an AWS Lambda function, and by a consumer that runs anywhere."""
