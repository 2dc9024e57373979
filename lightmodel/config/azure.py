"""The section `azure` of `config.toml`."""

from pydantic import Field

from lightmodel.config.base import Section


class AzureSection(Section):
    """App Service, for `deploy azure`; who may do it is told by AZURE_… variables, or by az login."""

    subscription: str = Field("", description="Id of the subscription.")
    resource_group: str = Field(
        "light-model", min_length=1, description="Holds all that is made there."
    )
    location: str = Field("westeurope", min_length=1, description="Region.")
    registry: str = Field(
        "",
        pattern=r"^([a-zA-Z0-9]{5,50})?$",
        description="Name of the container registry, unique in all of Azure: letters and digits.",
    )
    plan: str = Field("light-model", min_length=1, description="Name of the App Service plan.")
    sku: str = Field(
        "B1",
        pattern=r"^[A-Z][A-Za-z0-9]*$",
        description="Of the plan; from S1 on, versions are swapped without a gap.",
    )
    app: str = Field(
        "",
        pattern=r"^([a-zA-Z0-9][a-zA-Z0-9-]{0,58}[a-zA-Z0-9])?$",
        description="Name of the web app, unique in all of Azure: https://NAME.azurewebsites.net.",
    )
    start_seconds: int = Field(
        600, ge=1, le=1800, description="Most time for a new version to start and prove itself."
    )
    management: str = Field(
        "https://management.azure.com",
        pattern=r"^https://\S+$",
        description="Of Azure's management API; another one in sovereign clouds.",
    )
