param planName string
param name string
param location string
param tags object
param identityId string
param identityClientId string
param storageName string
param deploymentContainer string
param insightsConnectionString string
param databaseHost string
param databaseName string
param databaseUser string
@secure()
param apiKey string
param memoryMB int
param maximumInstances int
param callsAtOnce int
param sizingSku string
param sizingPostgres string
param wakeQueue string
param pumpSchedule string
param maintenanceSchedule string
param subnetId string

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: { reserved: true }
}

resource app 'Microsoft.Web/sites@2024-04-01' = {
  name: name
  location: location
  tags: tags
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identityId}': {} }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: deploymentContainer
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      scaleAndConcurrency: {
        instanceMemoryMB: memoryMB
        maximumInstanceCount: maximumInstances
        triggers: { http: { perInstanceConcurrency: callsAtOnce } }
      }
      runtime: {
        name: 'dotnet-isolated'
        version: '10.0'
      }
    }
    siteConfig: { minTlsVersion: '1.2' }
  }

  resource settings 'config' = {
    name: 'appsettings'
    properties: {
      AzureWebJobsStorage__accountName: storageName
      AzureWebJobsStorage__credential: 'managedidentity'
      AzureWebJobsStorage__clientId: identityClientId
      APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnectionString
      APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
      Millrace__ConnectionString: 'Host=${databaseHost};Database=${databaseName};Username=${databaseUser};SSL Mode=VerifyFull'
      Millrace__Entra__Enabled: 'true'
      Millrace__Entra__ClientId: identityClientId
      Millrace__ApiKey: apiKey
      Millrace__PumpSchedule: pumpSchedule
      Millrace__MaintenanceSchedule: maintenanceSchedule
      Millrace__Wake__Queue: wakeQueue
      Millrace__Sizing__Sku: sizingSku
      Millrace__Sizing__Postgres: sizingPostgres
      Millrace__Sizing__Instances: string(maximumInstances)
    }
  }
}

output hostName string = app.properties.defaultHostName
