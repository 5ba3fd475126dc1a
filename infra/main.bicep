targetScope = 'subscription'

@minLength(1)
@maxLength(40)
@description('The name of the environment; every resource is named after it.')
param environmentName string

@minLength(1)
@description('Where everything is: a region with Flex Consumption and PostgreSQL flexible server.')
param location string

@secure()
@minLength(23)
@description('The first API key: "mr_" and at least 20 letters, digits, "_" or "-".')
param apiKey string

@allowed(['B1ms', 'B2s', 'D2ds_v5', 'D4ds_v5', 'D8ds_v5', 'D16ds_v5'])
@description('The size of the PostgreSQL. It chooses the size and the number of the app\'s instances.')
param postgresSku string = 'B1ms'

@description('Whether the database is reached over a virtual network only.')
param privateNetwork bool = false

@description('When the pump looks for work that no token has told of.')
param pumpSchedule string = '*/30 * * * * *'

@description('When partitions, retention, keys and receipts are seen to.')
param maintenanceSchedule string = '0 7 * * * *'

var abbreviations = loadJsonContent('abbreviations.json')
var profiles = loadJsonContent('profiles.json')
var database = profiles.databases[postgresSku]
var host = profiles.hosts[database.host]
var token = toLower(uniqueString(subscription().id, environmentName, location))
var tags = { 'azd-env-name': environmentName }
var wakeQueue = 'millrace-wake'

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: '${abbreviations.resourceGroup}${environmentName}'
  location: location
  tags: tags
}

module identity 'app/identity.bicep' = {
  scope: group
  params: {
    name: '${abbreviations.identity}${token}'
    location: location
    tags: tags
  }
}

module network 'app/network.bicep' = if (privateNetwork) {
  scope: group
  params: {
    name: '${abbreviations.network}${token}'
    location: location
    tags: tags
  }
}

module monitoring 'app/monitoring.bicep' = {
  scope: group
  params: {
    logsName: '${abbreviations.logs}${token}'
    insightsName: '${abbreviations.insights}${token}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
  }
}

module storage 'app/storage.bicep' = {
  scope: group
  params: {
    name: '${abbreviations.storage}${token}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    wakeQueue: wakeQueue
  }
}

module postgres 'app/postgres.bicep' = {
  scope: group
  params: {
    name: '${abbreviations.postgres}${token}'
    location: location
    tags: tags
    skuName: database.name
    skuTier: database.tier
    principalId: identity.outputs.principalId
    principalName: identity.outputs.name
    subnetId: privateNetwork ? network!.outputs.databaseSubnetId : ''
    privateZoneId: privateNetwork ? network!.outputs.privateZoneId : ''
  }
}

module app 'app/functions.bicep' = {
  scope: group
  params: {
    planName: '${abbreviations.plan}${token}'
    name: '${abbreviations.app}${token}'
    location: location
    tags: union(tags, { 'azd-service-name': 'api' })
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    storageName: storage.outputs.name
    deploymentContainer: storage.outputs.deploymentContainer
    insightsConnectionString: monitoring.outputs.connectionString
    databaseHost: postgres.outputs.host
    databaseName: postgres.outputs.database
    databaseUser: identity.outputs.name
    apiKey: apiKey
    memoryMB: host.memoryMB
    maximumInstances: database.instances
    callsAtOnce: host.callsAtOnce
    sizingSku: database.host
    sizingPostgres: postgresSku
    wakeQueue: wakeQueue
    pumpSchedule: pumpSchedule
    maintenanceSchedule: maintenanceSchedule
    subnetId: privateNetwork ? network!.outputs.appSubnetId : ''
  }
}

output AZURE_LOCATION string = location
output MILLRACE_URL string = 'https://${app.outputs.hostName}/api/v1'
