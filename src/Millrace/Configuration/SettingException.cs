namespace Millrace.Configuration;

/// <summary>A setting is wrong; the process cannot go on with it.</summary>
/// <param name="setting">The setting's full name.</param>
/// <param name="problem">What is wrong with it, as the end of a sentence.</param>
public sealed class SettingException(string setting, string problem) : Exception($"{setting} {problem}.");
