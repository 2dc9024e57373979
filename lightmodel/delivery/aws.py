"""The deployment to AWS that the settings name: an EC2 instance, or a Lambda function."""

from lightmodel.config import Config
from lightmodel.delivery import aws_host, aws_lambda
from lightmodel.delivery.aws_account import open_account
from lightmodel.delivery.aws_monitor import MonitoredFunction
from lightmodel.delivery.base import Deployment
from lightmodel.delivery.engine import connect


def open_aws(config: Config) -> Deployment:
    """Return the instance of aws.host, or the function of aws.function if no instance is named.

    Raises:
        ConfigError: the library or the region is missing.
        SourceUnavailable: the Docker engine, which holds the image, does not answer.
    """
    account = open_account(config.aws)
    if config.aws.host:
        return aws_host.Ec2Host(account, connect(), config.deploy)
    return aws_lambda.LambdaDeployment(account, connect())


def default_image(config: Config) -> str:
    """Return the name of the image that is deployed if none is named."""
    return aws_host.IMAGE if config.aws.host else aws_lambda.IMAGE


def open_function(config: Config) -> MonitoredFunction:
    """Return the function of aws.function for the monitor.

    Raises:
        ConfigError: the library or the region is missing.
    """
    return MonitoredFunction(open_account(config.aws))
